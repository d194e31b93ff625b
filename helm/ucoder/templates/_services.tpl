{{/*
All services by name, as YAML for `fromYaml`. Each is `defaults`, overlaid by its own values in `services`, with what
files/flow.yaml says about it.
*/}}
{{- define "ucoder.services" -}}
{{- $flow := .Files.Get "files/flow.yaml" | fromYaml -}}
{{- $autoscaler := include "ucoder.autoscaler" $ -}}
{{- $services := dict -}}
{{- range $name, $entry := $flow -}}
{{- $overrides := deepCopy (default dict (get $.Values.services $name)) -}}
{{- if and (eq $name "trainer") (ne $.Values.training.kind "pod") -}}{{- $overrides = omit $overrides "image" "resources" "tolerations" "strategy" "scale" -}}{{- end -}}
{{- $service := mustMergeOverwrite (deepCopy $.Values.defaults) $overrides -}}
{{- $_ := set $service "settings" (mustMergeOverwrite (deepCopy $.Values.settings) $service.settings) -}}
{{- $_ := set $service "arrows" $entry.arrows -}}
{{- $_ := set $service "model" $entry.model -}}
{{- $_ := set $service "calls" $entry.calls -}}
{{- $_ := set $service "public" (has $name $.Values.networkPolicy.callable) -}}
{{- $_ := set $service "tokens" (and (ne $.Values.tokens.secret "") (has $name $.Values.tokens.services)) -}}
{{- $_ := set $service "scaled" (and $service.scale.enabled (ne $autoscaler "none")) -}}
{{- $_ := set $service "role" (or (and (eq $name "generator") $.Values.vllm.enabled $.Values.vllm.rollout (not $.Values.model.url)) (and (eq $name "trainer") (ne $.Values.training.kind "pod"))) -}}
{{- if and $entry.model (eq $.Values.model.url "local") -}}{{- $_ := set $service "image" "trainer" -}}{{- end -}}
{{- if and $service.scaled (eq $autoscaler "keda") (lt (int $.Values.autoscaling.cooldownSeconds) (int $service.drainSeconds)) -}}
{{- fail (printf "autoscaling.cooldownSeconds (%d) is shorter than services.%s.drainSeconds (%d): the last pod would be removed while it works" (int $.Values.autoscaling.cooldownSeconds) $name (int $service.drainSeconds)) -}}
{{- end -}}
{{- $_ := set $services $name $service -}}
{{- end -}}
{{- toYaml $services -}}
{{- end -}}

{{/* The autoscaler: keda, hpa or none. */}}
{{- define "ucoder.autoscaler" -}}
{{- if ne .Values.autoscaling.kind "auto" -}}{{ .Values.autoscaling.kind }}
{{- else if .Capabilities.APIVersions.Has "keda.sh/v1alpha1" -}}keda
{{- else if .Capabilities.APIVersions.Has "custom.metrics.k8s.io/v1beta1" -}}hpa
{{- else -}}none
{{- end -}}
{{- end -}}

{{/* How many messages of an arrow one pod works on at once: (dict "bound" BOUND "settings" SETTINGS). */}}
{{- define "ucoder.concurrency" -}}
{{- if eq .bound "single" -}}1
{{- else if eq .bound "model" -}}{{ .settings.model_concurrency | default 64 }}
{{- else if eq .bound "sandbox" -}}{{ .settings.sandbox_concurrency | default 4 }}
{{- else -}}{{ .settings.compute_concurrency | default 4 }}
{{- end -}}
{{- end -}}

{{/* The environment of a service: (dict "root" $ "component" NAME "service" SERVICE). */}}
{{- define "ucoder.serviceEnv" -}}
{{ include "ucoder.connectionEnv" . }}
- {name: UCODER_LISTEN, value: "{{ include "ucoder.anyAddress" .root }}:7070"}
- {name: UCODER_METRICS_PORT, value: "9090"}
- {name: UCODER_DRAIN_SECONDS, value: {{ .service.drainSeconds | quote }}}
{{- if .service.model }}
- {name: UCODER_MODEL_URL, value: {{ include "ucoder.modelUrl" .root | quote }}}
{{- with .root.Values.model.apiKeySecret }}
- name: UCODER_MODEL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: api-key}}
{{- end }}
{{- end }}
{{- with .service.calls }}
{{- $peers := list }}
{{- range . }}{{ $peers = append $peers (printf "%s=%s-%s.%s.svc:7070" (replace "-" "_" .) (include "ucoder.name" $.root) . $.root.Release.Namespace) }}{{ end }}
- {name: UCODER_PEERS, value: {{ join "," $peers | quote }}}
{{- end }}
{{- with .root.Values.tracing.otlpUrl }}
- {name: UCODER_OTLP_URL, value: {{ . | quote }}}
{{- end }}
{{- if eq .component "runs" }}
- {name: UCODER_WEB_LISTEN, value: "{{ include "ucoder.anyAddress" .root }}:7071"}
{{- end }}
{{- if and .service.role (eq .component "generator") }}
- {name: UCODER_ROLLOUT_STATEFULSET, value: {{ include "ucoder.name" .root }}-vllm}
- {name: UCODER_MODEL_SECONDS, value: {{ .root.Values.vllm.startupSeconds | quote }}}
{{- end }}
{{- if and .service.role (eq .component "trainer") }}
- {name: UCODER_TRAINING_TEMPLATE, value: /etc/ucoder/training/job.yaml}
{{- end }}
{{- if eq .component "sandbox-runner" }}
- {name: UCODER_ISOLATION, value: {{ .root.Values.sandbox.isolation }}}
{{- end }}
{{- if .root.Values.tls.enabled }}
- {name: UCODER_TLS_CERTIFICATE, value: /etc/ucoder/tls/tls.crt}
- {name: UCODER_TLS_KEY, value: /etc/ucoder/tls/tls.key}
- {name: UCODER_TLS_CA, value: /etc/ucoder/tls/ca.crt}
{{- if .root.Values.tls.clientCertificates }}
- {name: UCODER_TLS_CLIENT_CA, value: /etc/ucoder/tls/ca.crt}
{{- end }}
{{- end }}
{{- if .service.tokens }}
- {name: UCODER_TOKENS_FILE, value: /etc/ucoder/tokens/tokens}
{{- end }}
{{- range $key, $value := .service.settings }}
- {name: {{ printf "UCODER_%s" (upper $key) }}, value: {{ $value | toString | quote }}}
{{- end }}
- {name: HOME, value: /tmp}
- {name: OMP_NUM_THREADS, value: "1"}
{{- end -}}

{{/*
The probes. A pod is ready while it is connected to the bus. The kubelet's own gRPC probe speaks no TLS, so with TLS a
script of the image asks instead.
*/}}
{{- define "ucoder.probes" -}}
{{- $check := ternary "exec: {command: [python3, /app/healthy.py]}" "grpc: {port: 7070}" .Values.tls.enabled -}}
startupProbe:
  {{ $check }}
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: 100
readinessProbe:
  {{ $check }}
  periodSeconds: {{ ternary 15 5 .Values.tls.enabled }}
  timeoutSeconds: 5
livenessProbe:  # not by the health service: a pod that lost the bus is unready, and a restart would not help
  tcpSocket: {port: 7070}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}
