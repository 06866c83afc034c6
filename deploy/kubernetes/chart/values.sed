s|VALUE-IMAGE:VALUE|{{ .Values.image }}|
s|VALUE-UNAVAILABLE|{{ ternary "10%" "100%" (eq .Values.action "install") }}|
s|VALUE-TOLERATIONS|{{ toJson .Values.tolerations }}|
s|VALUE-ARGS|{{ include "port-restricter.args" . }}|
s|VALUE-MOUNT|/host{{ .Values.prefix }}|
s|VALUE-READONLY|{{ eq .Values.action "install" }}|
s|VALUE-PREFIX|{{ .Values.prefix }}|
