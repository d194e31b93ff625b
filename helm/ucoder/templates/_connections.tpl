{{/* Connections: how a container of ours reaches the bus, the store and the model server. */}}

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

{{/* The environment for bus and store, which all our services share: (dict "root" $ "component" NAME). */}}
{{- define "ucoder.connectionEnv" -}}
- {name: UCODER_NATS_URL, value: {{ include "ucoder.natsUrl" .root | quote }}}
{{- include "ucoder.natsEnv" . }}
{{- include "ucoder.storeEnv" .root }}
{{- end -}}

{{/*
The environment for the bus: (dict "root" $ "component" NAME "user" USER). USER, by default NAME, is a key of the
credentials secret without its ending.
*/}}
{{- define "ucoder.natsEnv" }}
- {name: UCODER_NATS_REPLICAS, value: {{ .root.Values.nats.replicas | quote }}}
{{- if .root.Values.nats.credentialsSecret }}
- {name: UCODER_NATS_CREDENTIALS, value: /etc/ucoder/nats/user.creds}
- {name: UCODER_NATS_INBOX_PREFIX, value: _INBOX_{{ replace "-" "_" (default .component .user) }}}
{{- end }}
{{- if include "ucoder.natsCaSecret" .root }}
- {name: UCODER_NATS_CA, value: /etc/ucoder/nats-ca/ca.crt}
{{- end }}
{{- end -}}

{{/* The secret whose ca.crt verifies the certificate of the bus; empty where the bus speaks no TLS. */}}
{{- define "ucoder.natsCaSecret" -}}
{{- if .Values.nats.url -}}{{ .Values.nats.caSecret }}
{{- else if .Values.tls.enabled -}}{{ include "ucoder.tlsSecret" . }}
{{- end -}}
{{- end -}}

{{/* Mounts for the credentials and the authority certificate of the bus: (dict "root" $). */}}
{{- define "ucoder.natsMounts" -}}
{{- if .root.Values.nats.credentialsSecret }}
- {name: nats, mountPath: /etc/ucoder/nats, readOnly: true}
{{- end }}
{{- if include "ucoder.natsCaSecret" .root }}
- {name: nats-ca, mountPath: /etc/ucoder/nats-ca, readOnly: true}
{{- end }}
{{- end -}}

{{/*
The volumes of these mounts: (dict "root" $ "component" NAME "user" USER "optional" BOOL). A pod waits for secrets that
are not optional.
*/}}
{{- define "ucoder.natsVolumes" -}}
{{- with .root.Values.nats.credentialsSecret }}
- name: nats
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ default $.component $.user }}.creds, path: user.creds}]
    {{- if $.optional }}
    optional: true
    {{- end }}
{{- end }}
{{- with include "ucoder.natsCaSecret" .root }}
- name: nats-ca
  secret: {secretName: {{ . }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]{{ if $.optional }}, optional: true{{ end }}}
{{- end }}
{{- end -}}

{{- define "ucoder.storeEnv" }}
- {name: UCODER_STORE_URL, value: {{ include "ucoder.storeUrl" . | quote }}}
{{- with .Values.store.endpoint }}
- {name: UCODER_STORE_ENDPOINT, value: {{ . | quote }}}
{{- end }}
- {name: UCODER_CACHE_DIR, value: /var/cache/ucoder}
{{- end -}}

{{/* Passes on the storage provider's own variables as they stand in the secret. */}}
{{- define "ucoder.storeEnvFrom" -}}
{{- with .Values.store.credentialsSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end -}}

{{/* Mounts for scratch space, store and bus: (dict "root" $). */}}
{{- define "ucoder.connectionMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: cache, mountPath: /var/cache/ucoder}
{{- if include "ucoder.storeVolume" .root }}
- {name: store, mountPath: /var/lib/ucoder/store}
{{- end }}
{{- include "ucoder.natsMounts" . }}
{{- end -}}

{{/* The volumes of these mounts: (dict "root" $ "component" NAME "scratch" (dict "tmp" "1Gi" "cache" "1Gi")). */}}
{{- define "ucoder.connectionVolumes" -}}
- {name: tmp, emptyDir: {sizeLimit: {{ .scratch.tmp }}}}
- {name: cache, emptyDir: {sizeLimit: {{ .scratch.cache }}}}
{{- if include "ucoder.storeVolume" .root }}
- name: store
  persistentVolumeClaim: {claimName: {{ default (printf "%s-store" (include "ucoder.name" .root)) .root.Values.store.volume.existingClaim }}}
{{- end }}
{{- include "ucoder.natsVolumes" . }}
{{- end -}}
