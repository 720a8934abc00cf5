{{- /*
What the schema of the values cannot say of Argo CD. Call: include "bento-platform.argocdChecks" $; it returns nothing, or fails.
*/}}
{{- define "bento-platform.argocdChecks" -}}
{{- $argocd := .Values.argocd -}}
{{- if not $argocd.repository -}}
{{- fail "argocd.repository is missing: say where Argo CD reads this repository, like https://git.example.com/ml/fleet.git" -}}
{{- end -}}
{{- if not $argocd.destinations -}}
{{- fail "argocd.destinations is empty: no application would be synced; say where a cluster is, like {prod-eu: {server: https://kubernetes.default.svc}}" -}}
{{- end -}}
{{- $own := list -}}
{{- range $cluster, $destination := $argocd.destinations -}}
{{- if eq (empty $destination.server) (empty $destination.name) -}}
{{- fail (printf "argocd.destinations.%s: say either server or name, as Argo CD knows the cluster" $cluster) -}}
{{- end -}}
{{- if not $destination.namespaces -}}
{{- $own = append $own $cluster -}}
{{- end -}}
{{- end -}}
{{- if gt (len $own) 1 -}}
{{- fail (printf "argocd.destinations: %s say no namespaces; only the cluster that these `environments` are of may leave them out" (join " and " $own)) -}}
{{- end -}}
{{- if and $own (not .Values.environments) -}}
{{- fail (printf "argocd.destinations.%s: says no namespaces, and there are no `environments` to take them from" (first $own)) -}}
{{- end -}}
{{- end -}}
{{- /*
Where applications may go: a list of {server or name, namespace}. Call: include "bento-platform.argocdDestinations" $ | fromYamlArray
*/}}
{{- define "bento-platform.argocdDestinations" -}}
{{- $own := list -}}
{{- range .Values.environments -}}
{{- $own = append $own .namespace -}}
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
