{{/*
A container that holds programs, beside the runner in a pod under gVisor: (dict "root" $ "number" N). Another image,
another user, a process namespace and a folder of its own, no settings, no credentials, no token, no capabilities.
What it shares with the runner is one socket, which it listens on (deploy/cell.py); with other cells, nothing.
*/}}
{{- define "ucoder.cell" -}}
- name: cell-{{ .number }}
  image: {{ include "ucoder.image" (dict "root" .root "image" "sandbox") }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  args: [/run/ucoder/cell.sock]
  securityContext:
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
    privileged: false
    readOnlyRootFilesystem: true
    runAsNonRoot: true
    runAsUser: 10002
    runAsGroup: 10002
    seccompProfile: {type: RuntimeDefault}
  resources: {{- toYaml .root.Values.sandbox.cell.resources | nindent 4 }}
  volumeMounts:
    - {name: cell-{{ .number }}, mountPath: /run/ucoder}
    - {name: cell-{{ .number }}-tmp, mountPath: /tmp}
{{- end -}}
