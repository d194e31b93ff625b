{{/* Names and labels. Every template takes the root context as $. */}}

{{- define "ucoder.name" -}}
{{- $name := default .Release.Name .Values.nameOverride | replace "." "-" | trunc 40 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- fail (printf "the release's name begins what services are called, and %q does not begin with a letter: set nameOverride" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* Which objects belong together: (dict "root" $ "component" NAME). */}}
{{- define "ucoder.selector" -}}
app.kubernetes.io/name: ucoder
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Of pods: nothing that an upgrade changes by itself, or it would restart a bus and a model server for nothing. */}}
{{- define "ucoder.podLabels" -}}
{{ include "ucoder.selector" . }}
app.kubernetes.io/part-of: ucoder
{{- end -}}

{{- define "ucoder.labels" -}}
{{ include "ucoder.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: ucoder
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* metadata of an object: (dict "root" $ "component" NAME "suffix" "-x"); the suffix is what its name ends with. */}}
{{- define "ucoder.metadata" -}}
name: {{ include "ucoder.name" .root }}-{{ .component }}{{ .suffix | default "" }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "ucoder.labels" . | nindent 2 }}
{{- end -}}

{{/* An image reference: (dict "root" $ "image" KEY). Our own images stand behind images.registry. */}}
{{- define "ucoder.image" -}}
{{- $image := get .root.Values.images .image -}}
{{- $registry := ternary "" .root.Values.images.registry (has .image (list "nats" "vllm")) -}}
{{- $version := ternary (printf "@%s" $image.digest) (printf ":%s" (default .root.Chart.AppVersion $image.tag)) (ne $image.digest "") -}}
{{- printf "%s%s%s" $registry $image.repository $version -}}
{{- end -}}

{{- define "ucoder.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
