{{/*
A container that holds programs, beside the runner in a pod under gVisor: (dict "root" $ "number" N). Another image, a
user and namespaces of its own, no settings, no credentials, no token, no capabilities. What it shares with the runner
is one socket, which it listens on (deploy/cell.py); with other cells, nothing: processes are counted by user, so each
cell has another.
*/}}
{{- define "ucoder.cell" -}}
{{- $user := add 20000 .number -}}
- name: cell-{{ .number }}
  image: {{ include "ucoder.image" (dict "root" .root "image" "sandbox") }}
  imagePullPolicy: {{ .root.Values.images.pullPolicy }}
  args: [/socket/cell.sock]
  securityContext:
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
    privileged: false
    readOnlyRootFilesystem: true
    runAsNonRoot: true
    runAsUser: {{ $user }}
    runAsGroup: {{ $user }}
    seccompProfile: {type: RuntimeDefault}
  resources: {{- toYaml .root.Values.sandbox.cell.resources | nindent 4 }}
  volumeMounts:
    - {name: cell-{{ .number }}, mountPath: /socket}
{{- end -}}
