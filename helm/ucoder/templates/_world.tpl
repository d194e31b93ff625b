{{/* Where the bus, the store and the model are: what a container of ours needs to reach them. */}}

{{- define "ucoder.natsUrl" -}}
{{- if .Values.nats.url -}}{{ .Values.nats.url }}
{{- else -}}nats://{{ include "ucoder.name" . }}-nats.{{ .Release.Namespace }}.svc:4222
{{- end -}}
{{- end -}}

{{- define "ucoder.natsMonitoring" -}}
{{- if .Values.nats.url -}}{{ required "autoscaling.kind keda on an external NATS needs nats.monitoring (host:port)" .Values.nats.monitoring }}
{{- else -}}{{ include "ucoder.name" . }}-nats-headless.{{ .Release.Namespace }}.svc:8222
{{- end -}}
{{- end -}}

{{- define "ucoder.storeUrl" -}}
{{- if .Values.store.url -}}{{ .Values.store.url }}
{{- else -}}{{ required "store: give store.url, or enable store.volume" (ternary "file:///var/lib/ucoder/store" "" .Values.store.volume.enabled) }}
{{- end -}}
{{- end -}}

{{- define "ucoder.modelUrl" -}}
{{- if .Values.model.url -}}{{ .Values.model.url }}
{{- else -}}{{ required "model: give model.url, or enable vllm" (ternary (printf "http://%s-vllm.%s.svc:8000/v1" (include "ucoder.name" .) .Release.Namespace) "" .Values.vllm.enabled) }}
{{- end -}}
{{- end -}}

{{/* True when the store is the shared volume. */}}
{{- define "ucoder.storeVolume" -}}
{{- if and .Values.store.volume.enabled (not .Values.store.url) }}true{{ end -}}
{{- end -}}

{{/* Environment that every container of ours shares: bus and store. (dict "root" $ "component" NAME). */}}
{{- define "ucoder.worldEnv" -}}
- {name: UCODER_NATS_URL, value: {{ include "ucoder.natsUrl" .root | quote }}}
{{- if .root.Values.nats.credentialsSecret }}
- {name: UCODER_NATS_CREDENTIALS, value: /etc/ucoder/nats/user.creds}
{{- end }}
{{- include "ucoder.storeEnv" .root }}
{{- end -}}

{{- define "ucoder.storeEnv" }}
- {name: UCODER_STORE_URL, value: {{ include "ucoder.storeUrl" . | quote }}}
{{- with .Values.store.endpoint }}
- {name: UCODER_STORE_ENDPOINT, value: {{ . | quote }}}
{{- end }}
- {name: UCODER_CACHE_DIR, value: /var/cache/ucoder}
{{- end -}}

{{/* The provider's own variables, from the secret as they are. */}}
{{- define "ucoder.storeEnvFrom" -}}
{{- with .Values.store.credentialsSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end -}}

{{- define "ucoder.worldMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: cache, mountPath: /var/cache/ucoder}
{{- if include "ucoder.storeVolume" .root }}
- {name: store, mountPath: /var/lib/ucoder/store}
{{- end }}
{{- if .root.Values.nats.credentialsSecret }}
- {name: nats, mountPath: /etc/ucoder/nats, readOnly: true}
{{- end }}
{{- end -}}

{{/* (dict "root" $ "component" NAME "scratch" (dict "tmp" "1Gi" "cache" "1Gi")) */}}
{{- define "ucoder.worldVolumes" -}}
- {name: tmp, emptyDir: {sizeLimit: {{ .scratch.tmp }}}}
- {name: cache, emptyDir: {sizeLimit: {{ .scratch.cache }}}}
{{- if include "ucoder.storeVolume" .root }}
- name: store
  persistentVolumeClaim: {claimName: {{ default (printf "%s-store" (include "ucoder.name" .root)) .root.Values.store.volume.existingClaim }}}
{{- end }}
{{- with .root.Values.nats.credentialsSecret }}
- name: nats
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ $.component }}.creds, path: user.creds}]
{{- end }}
{{- end -}}
