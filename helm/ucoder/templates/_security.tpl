{{/* Security contexts: what the restricted Pod Security standard requires, and a read-only root file system. */}}

{{/*
The security context of a pod: (dict "root" $ "user" UID "token" BOOL). The group owns the volumes, so that containers with
different users share them.
*/}}
{{- define "ucoder.podSecurity" -}}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- if .root.Values.fixedUsers }}
  runAsUser: {{ .user | default 10001 }}
  runAsGroup: 10001
  fsGroup: 10001
  {{- end }}
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

{{/* nodeSelector, tolerations, affinity, priorityClassName and runtimeClassName, where the given map has them. */}}
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

{{/* Spreads the pods of a component over zones and nodes: (dict "root" $ "component" NAME). */}}
{{- define "ucoder.topologySpread" -}}
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

{{/* The resources of a container that uses the pod's resource claims: (dict "resources" MAP "claims" LIST). */}}
{{- define "ucoder.resourcesWithClaims" -}}
{{- $resources := deepCopy .resources -}}
{{- with .claims -}}
{{- $names := list -}}
{{- range . -}}{{- $names = append $names (dict "name" .name) -}}{{- end -}}
{{- $_ := set $resources "claims" $names -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{/*
How many pods of a component the drain of nodes may take at once: (dict "root" $ "component" NAME "maxUnavailable" N).
Kubernetes rounds a percentage up, so a single pod may always go, and a pod that is not ready never holds up a drain.
*/}}
{{- define "ucoder.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "ucoder.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "ucoder.selector" . | nindent 6 }}
{{- end -}}
