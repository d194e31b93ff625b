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

{{/*
The targets outside of this release, keys of `networkPolicy`, by component: YAML for `fromYaml`. Network policies and
Cilium's policies are made from it.
*/}}
{{- define "ucoder.outsideTargets" -}}
{{- $ownModel := and .Values.vllm.enabled (not .Values.model.url) -}}
{{- $store := ternary (list "store") list (and (ne .Values.store.url "") (not (hasPrefix "file:" .Values.store.url))) -}}
{{- $bus := ternary (list "nats") list (ne .Values.nats.url "") -}}
{{- $collector := ternary (list "collector") list (ne .Values.tracing.otlpUrl "") -}}
{{- $model := ternary list (list "model") (or $ownModel (eq .Values.model.url "local")) -}}
{{- $targets := dict "declare" $bus "test" list -}}
{{- range $name, $service := include "ucoder.services" . | fromYaml -}}
{{- $own := concat $bus $store (ternary $model list $service.model) (ternary (list "apiServer") list $service.role) $collector -}}
{{- $_ := set $targets $name $own -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}{{- $_ := set $targets "gateway" (concat (ternary $model list .Values.gateway.openai) $collector) -}}{{- end -}}
{{- if $ownModel -}}{{- $_ := set $targets "vllm" (concat (list "hub") $store) -}}{{- end -}}
{{- if ne .Values.training.kind "pod" -}}{{- $_ := set $targets "training" $store -}}{{- end -}}
{{- toYaml $targets -}}
{{- end -}}

{{/*
To targets outside of this release: (dict "root" $ "targets" KEYS). A target that only Cilium can name has no rule here.
*/}}
{{- define "ucoder.egress.outside" -}}
{{- $policy := .root.Values.networkPolicy -}}
{{- $anywhere := list (dict "ipBlock" (dict "cidr" "0.0.0.0/0")) (dict "ipBlock" (dict "cidr" "::/0")) -}}
{{- range $key := .targets }}
{{- $target := get $policy $key }}
{{- $peers := concat list (default list $target.to) }}
{{- range $target.cidrs }}{{ $peers = append $peers (dict "ipBlock" (dict "cidr" .)) }}{{ end }}
{{- if and $target.fqdns (not $policy.cilium) }}
{{- fail (printf "networkPolicy.%s.fqdns needs networkPolicy.cilium: a NetworkPolicy knows addresses and no names" $key) }}
{{- end }}
{{- if not (or $peers $target.fqdns (and $policy.cilium (eq $key "apiServer"))) }}
{{- $peers = ternary $anywhere $policy.publicAddresses (eq $key "apiServer") }}
{{- end }}
{{- with $peers }}
- ports: [{{ range $i, $port := $target.ports }}{{ if $i }}, {{ end }}{port: {{ $port }}}{{ end }}]
  to: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The families of addresses of a Service. */}}
{{- define "ucoder.ipFamilies" -}}
{{- with .Values.ipFamilies.policy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.ipFamilies.families }}
ipFamilies: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The address at which a server listens on all interfaces: of both families where Services have both. */}}
{{- define "ucoder.anyAddress" -}}
{{- $ip := .Values.ipFamilies -}}
{{- ternary "[::]" "0.0.0.0" (or (has "IPv6" $ip.families) (hasSuffix "DualStack" $ip.policy)) -}}
{{- end -}}
