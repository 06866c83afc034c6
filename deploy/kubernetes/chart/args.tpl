{{- define "port-restricter.args" -}}
{{- $args := list (ternary "install" "uninstall" (eq .Values.action "install")) -}}
{{- if and .Values.engine (eq .Values.action "install") -}}
{{- $args = append $args (printf "--engine=%s" .Values.engine) -}}
{{- end -}}
{{- if eq .Values.action "uninstall-forced" -}}{{- $args = append $args "--force" -}}{{- end -}}
{{- if ne .Values.prefix "/usr/local" -}}
{{- $args = append $args (printf "--prefix=%s" .Values.prefix) -}}
{{- end -}}
{{- toJson $args -}}
{{- end -}}
