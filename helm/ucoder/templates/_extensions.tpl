{{/*
The extension points of a pod template: (dict "template" MAP "with" VALUES). VALUES may hold podLabels, podAnnotations,
extraEnv, extraEnvFrom, extraVolumes, extraVolumeMounts (all for the first container), initContainers, sidecars and
topologySpreadConstraints. What the chart itself sets comes first; the first container stays the first.
*/}}
{{- define "ucoder.extend" -}}
{{- $template := .template -}}
{{- $with := .with -}}
{{- range $key, $value := dict "labels" "podLabels" "annotations" "podAnnotations" -}}
{{- with get $with $value -}}
{{- $_ := set $template.metadata $key (mustMergeOverwrite (deepCopy .) (default dict (get $template.metadata $key))) -}}
{{- end -}}
{{- end -}}
{{- $spec := $template.spec -}}
{{- $container := first $spec.containers -}}
{{- range $key, $value := dict "env" "extraEnv" "envFrom" "extraEnvFrom" "volumeMounts" "extraVolumeMounts" -}}
{{- with get $with $value -}}
{{- $_ := set $container $key (concat (default list (get $container $key)) .) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := dict "volumes" "extraVolumes" "initContainers" "initContainers" "containers" "sidecars" -}}
{{- with get $with $value -}}
{{- $_ := set $spec $key (concat (default list (get $spec $key)) .) -}}
{{- end -}}
{{- end -}}
{{- with $with.topologySpreadConstraints -}}
{{- $_ := set $spec "topologySpreadConstraints" . -}}
{{- end -}}
{{- toYaml $template -}}
{{- end -}}
