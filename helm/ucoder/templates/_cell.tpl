{{/*
The container that holds the programs, beside the runner in a pod under gVisor: another image, another user, a process
namespace of its own, no settings, no credentials, no token, no capabilities. All they share is a socket.
*/}}
{{- define "ucoder.cell" -}}
- name: cell
  image: {{ include "ucoder.image" (dict "root" $ "image" "sandbox") }}
  imagePullPolicy: {{ .Values.images.pullPolicy }}
  command: {{- toYaml .Values.sandbox.cell.command | nindent 4 }}
  args: [/run/ucoder/cells.sock]
  securityContext:
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
    privileged: false
    readOnlyRootFilesystem: true
    runAsNonRoot: true
    runAsUser: 10002
    runAsGroup: 10002
    seccompProfile: {type: RuntimeDefault}
  resources: {{- toYaml .Values.sandbox.cell.resources | nindent 4 }}
  volumeMounts:
    - {name: cell-socket, mountPath: /run/ucoder, readOnly: true}  # the runner listens; a cell can only connect
    - {name: cell-tmp, mountPath: /tmp}
{{- end -}}
