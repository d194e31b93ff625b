{{/* Names and labels. Templates take the root context as $, or a map that holds it as `root`. */}}

{{- define "ucoder.name" -}}
{{- $name := default .Release.Name .Values.nameOverride | replace "." "-" | trunc 40 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- fail (printf "the names of services begin with the release's name, and %q does not begin with a letter: set nameOverride" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* The labels that select the pods of a component: (dict "root" $ "component" NAME). */}}
{{- define "ucoder.selector" -}}
app.kubernetes.io/name: ucoder
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/*
The labels of pods. None of them changes by an upgrade alone, which would restart the bus and the model server without
need.
*/}}
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

{{/* The metadata of an object: (dict "root" $ "component" NAME "suffix" "-x"). The suffix ends the object's name. */}}
{{- define "ucoder.metadata" -}}
name: {{ include "ucoder.name" .root }}-{{ .component }}{{ .suffix | default "" }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "ucoder.labels" . | nindent 2 }}
{{- end -}}

{{/* The runtime class of the sandbox. Objects of the cluster are named by the namespace too: releases share no object. */}}
{{- define "ucoder.runtimeClass" -}}
{{- $made := printf "%s-%s-gvisor" .Release.Namespace (include "ucoder.name" .) -}}
{{- default (ternary $made "gvisor" .Values.sandbox.runtimeClass.create) .Values.sandbox.runtimeClass.name -}}
{{- end -}}

{{/* An image reference: (dict "root" $ "image" KEY). images.registry is put before our own images only,
global.imageRegistry before all. */}}
{{- define "ucoder.image" -}}
{{- $image := get .root.Values.images .image -}}
{{- $own := ternary "" .root.Values.images.registry (has .image (list "nats" "natsExporter" "vllm")) -}}
{{- $mirror := (default dict .root.Values.global).imageRegistry | default "" -}}
{{- $registry := default $own (ternary (printf "%s/" (trimSuffix "/" $mirror)) "" (ne $mirror "")) -}}
{{- $version := ternary (printf "@%s" $image.digest) (printf ":%s" (default .root.Chart.AppVersion $image.tag)) (ne $image.digest "") -}}
{{- printf "%s%s%s" $registry $image.repository $version -}}
{{- end -}}

{{- define "ucoder.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
