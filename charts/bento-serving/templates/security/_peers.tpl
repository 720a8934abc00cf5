{{- /*
One peer of a NetworkPolicy: addresses, or pods by namespace (without one: the application's) and labels (without any: all).
Call: include "bento-serving.pods" (dict "cidr" "192.0.2.0/24"), or (dict "namespace" "traefik" "podLabels" $labels)
*/}}
{{- define "bento-serving.pods" -}}
{{- if .cidr -}}
- ipBlock: {cidr: {{ .cidr | quote }}}
{{- else -}}
- podSelector:
    {{- with .podLabels }}
    matchLabels: {{- toYaml . | nindent 6 }}
    {{- else }} {}
    {{- end }}
  {{- with .namespace }}
  namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ . | quote }}}
  {{- end }}
{{- end -}}
{{- end -}}

{{- /*
The pods that live requests come from, as JSON: {namespace, podLabels}; empty where anyone may ask.
Call: include "bento-serving.router" $.Values.routing | fromJson
*/}}
{{- define "bento-serving.router" -}}
{{- $gateway := .gateway | default dict -}}
{{- $ofGateway := dict "namespace" ($gateway.podNamespace | default $gateway.namespace) "podLabels" $gateway.podLabels -}}
{{- get (dict "gateway" $ofGateway "none" dict) (.controller | default "none") | default .proxy | default dict | toJson -}}
{{- end -}}

{{- /*
Questions to the cluster's DNS; the address is that of a DNS cache on the node, which is no pod with labels.
Call: include "bento-serving.dns" $
*/}}
{{- define "bento-serving.dns" -}}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
    - ipBlock: {cidr: 169.254.20.10/32}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}
