{{/*
A cell: a container beside the runner, in a pod under gVisor, in which untrusted programs run:
(dict "root" $ "number" N). It has an image, a user and namespaces of its own, and no settings, credentials, token or
capabilities. With the runner it shares one socket, on which it listens (deploy/cell.py). With other cells it shares
nothing; each has another user, because the limit of processes counts by user.
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
    {{- if .root.Values.fixedUsers }}
    runAsUser: {{ $user }}
    runAsGroup: {{ $user }}
    {{- end }}
    seccompProfile: {type: RuntimeDefault}
  resources: {{- toYaml .root.Values.sandbox.cell.resources | nindent 4 }}
  volumeMounts:
    - {name: cell-{{ .number }}, mountPath: /socket}
{{- end -}}
