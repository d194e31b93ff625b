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
{{- include "ucoder.natsEnv" . }}
{{- include "ucoder.storeEnv" .root }}
{{- end -}}

{{/* How the bus is reached: (dict "root" $ "user" WHOSE), `user` a key of the credentials secret without its ending. */}}
{{- define "ucoder.natsEnv" }}
- {name: UCODER_NATS_REPLICAS, value: {{ .root.Values.nats.replicas | quote }}}
{{- if .root.Values.nats.credentialsSecret }}
- {name: UCODER_NATS_CREDENTIALS, value: /etc/ucoder/nats/user.creds}
- {name: UCODER_NATS_INBOX_PREFIX, value: _INBOX_{{ replace "-" "_" (default .component .user) }}}
{{- end }}
{{- if include "ucoder.natsCa" .root }}
- {name: UCODER_NATS_CA, value: /etc/ucoder/nats-ca/ca.crt}
{{- end }}
{{- end -}}

{{/* Secret whose ca.crt the bus' certificate is held against; empty: no TLS there. */}}
{{- define "ucoder.natsCa" -}}
{{- if .Values.nats.url -}}{{ .Values.nats.caSecret }}
{{- else if .Values.tls.enabled -}}{{ include "ucoder.tlsSecret" . }}
{{- end -}}
{{- end -}}

{{- define "ucoder.natsMounts" -}}
{{- if .root.Values.nats.credentialsSecret }}
- {name: nats, mountPath: /etc/ucoder/nats, readOnly: true}
{{- end }}
{{- if include "ucoder.natsCa" .root }}
- {name: nats-ca, mountPath: /etc/ucoder/nats-ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "ucoder.natsVolumes" -}}
{{- with .root.Values.nats.credentialsSecret }}
- name: nats
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ default $.component $.user }}.creds, path: user.creds}]
{{- end }}
{{- with include "ucoder.natsCa" .root }}
- name: nats-ca
  secret: {secretName: {{ . }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
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
{{- include "ucoder.natsMounts" . }}
{{- end -}}

{{/* (dict "root" $ "component" NAME "scratch" (dict "tmp" "1Gi" "cache" "1Gi")) */}}
{{- define "ucoder.worldVolumes" -}}
- {name: tmp, emptyDir: {sizeLimit: {{ .scratch.tmp }}}}
- {name: cache, emptyDir: {sizeLimit: {{ .scratch.cache }}}}
{{- if include "ucoder.storeVolume" .root }}
- name: store
  persistentVolumeClaim: {claimName: {{ default (printf "%s-store" (include "ucoder.name" .root)) .root.Values.store.volume.existingClaim }}}
{{- end }}
{{- include "ucoder.natsVolumes" . }}
{{- end -}}
