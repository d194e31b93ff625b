{{/* Egress rules and peers for network policies. */}}

{{/* To the cluster's name servers. */}}

{{- define "ucoder.egress.dns" -}}
- ports:
    {{- range .Values.networkPolicy.dns.ports }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  to: {{- toYaml .Values.networkPolicy.dns.to | nindent 4 }}
{{- end -}}

{{/* To pods of this release: (dict "root" $ "component" NAME "port" N). */}}
{{- define "ucoder.egress.to" -}}
- ports: [{port: {{ .port }}}]
  to: {{- include "ucoder.pods" . | nindent 4 }}
{{- end -}}

{{/* The pods of a component, as a list of one peer: (dict "root" $ "component" NAME). */}}
{{- define "ucoder.pods" -}}
- podSelector:
    matchLabels: {{- include "ucoder.selector" . | nindent 6 }}
{{- end -}}

{{/* To peers outside this release: a map with `to` and `ports`. */}}
{{- define "ucoder.egress.outside" -}}
- ports: [{{ range $i, $port := .ports }}{{ if $i }}, {{ end }}{port: {{ $port }}}{{ end }}]
  to: {{- toYaml .to | nindent 4 }}
{{- end -}}

{{/* To the bus, whether it is the chart's own or an external one. */}}
{{- define "ucoder.egress.nats" -}}
{{- if .Values.nats.url -}}
{{- include "ucoder.egress.outside" .Values.networkPolicy.nats -}}
{{- else -}}
{{- include "ucoder.egress.to" (dict "root" . "component" "nats" "port" 4222) -}}
{{- end -}}
{{- end -}}
