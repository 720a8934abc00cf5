{{- /*
The application's name. Call: include "bento-serving.application" $
The release's name is the default alone: an umbrella shares one release among many applications.
*/}}
{{- define "bento-serving.application" -}}
{{- .Values.application | default .Release.Name -}}
{{- end -}}

{{- /*
A service's name in kebab-case: EmbeddingRunner -> embedding-runner. Call: include "bento-serving.kebab" "EmbeddingRunner"
Empty for a name without letters and digits; names that differ in case or in - and _ alone become the same (_checks.tpl refuses both).
*/}}
{{- define "bento-serving.kebab" -}}
{{- $words := regexReplaceAll "([a-z0-9])([A-Z])" . "${1}-${2}" -}}
{{- $words = regexReplaceAll "([A-Z]+)([A-Z][a-z])" $words "${1}-${2}" -}}
{{- regexReplaceAll "[^a-z0-9]+" (lower $words) "-" | trimAll "-" -}}
{{- end -}}

{{- /*
A name that fits: at 63 characters and above it is cut and gets a hash of `whole`, which tells apart what looks alike after the cut.
Call: include "bento-serving.fitted" (dict "text" "tickets-blue-embedder" "whole" "tickets/blue/Embedder")
*/}}
{{- define "bento-serving.fitted" -}}
{{- if lt (len .text) 63 -}}
{{- .text -}}
{{- else -}}
{{- printf "%s-%s" (regexReplaceAll "-+$" (trunc 53 .text) "") (sha256sum .whole | trunc 8) -}}
{{- end -}}
{{- end -}}

{{- /*
A component's name, also as a label's value. Call: include "bento-serving.componentName" "EmbeddingRunner"
*/}}
{{- define "bento-serving.componentName" -}}
{{- include "bento-serving.fitted" (dict "text" (include "bento-serving.kebab" .) "whole" .) -}}
{{- end -}}

{{- /*
The name of all objects of a component of a track, and the host that its callers ask.
Call: include "bento-serving.objectName" (dict "app" $app "track" "blue" "service" "EmbeddingRunner")
*/}}
{{- define "bento-serving.objectName" -}}
{{- $text := printf "%s-%s-%s" .app.name .track (include "bento-serving.kebab" .service) -}}
{{- include "bento-serving.fitted" (dict "text" $text "whole" (printf "%s/%s/%s" .app.name .track .service)) -}}
{{- end -}}
