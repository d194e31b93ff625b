{{/* What the restricted Pod Security standard asks for, and more. */}}

{{/* Of a pod: (dict "user" UID). The group owns the volumes, so that containers with different users share them. */}}
{{- define "ucoder.podSecurity" -}}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 10001 }}
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "ucoder.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* nodeSelector, tolerations, affinity, priorityClassName, runtimeClassName of a map that may have them. */}}
{{- define "ucoder.placement" -}}
{{- range $key := list "priorityClassName" "runtimeClassName" }}
{{- with get $ $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "affinity" "tolerations" }}
{{- with get $ $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Spread over zones and nodes: (dict "root" $ "component" NAME). */}}
{{- define "ucoder.spread" -}}
{{- if .root.Values.topologySpread }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "ucoder.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Resources of a container that uses the pod's resource claims: (dict "resources" R "claims" LIST). */}}
{{- define "ucoder.claiming" -}}
{{- $resources := deepCopy .resources -}}
{{- with .claims -}}
{{- $names := list -}}
{{- range . -}}{{- $names = append $names (dict "name" .name) -}}{{- end -}}
{{- $_ := set $resources "claims" $names -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
