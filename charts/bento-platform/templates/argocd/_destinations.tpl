{{- /*
Where applications may go: a list of {server or name, namespace}. Istio asks who calls where its gateway runs, so there too, if it does. Call: include "bento-platform.argocdDestinations" $
*/}}
{{- define "bento-platform.argocdDestinations" -}}
{{- $own := list -}}
{{- range .Values.environments -}}
{{- $own = append $own .namespace -}}
{{- with .routing.gatewayNamespace -}}
{{- $own = append $own . -}}
{{- end -}}
{{- end -}}
{{- $all := list -}}
{{- range .Values.argocd.destinations -}}
{{- $cluster := pick . "server" "name" -}}
{{- range (.namespaces | default $own | uniq | sortAlpha) -}}
{{- $all = append $all (merge (dict "namespace" .) $cluster) -}}
{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- /*
What the set asks of the cluster that an environment names, its `server` or `name`: an expression for Argo CD, empty where it has none.
Call: include "bento-platform.argocdCluster" (list $ "server")
*/}}
{{- define "bento-platform.argocdCluster" -}}
{{- $key := last . -}}
{{- $known := list -}}
{{- range $cluster, $destination := (first .).Values.argocd.destinations -}}
{{- $known = append $known (printf "%q %q" $cluster (get $destination $key | default "")) -}}
{{- end -}}
{{- printf "{{ get (dict %s) .cluster }}" (join " " $known) -}}
{{- end -}}
