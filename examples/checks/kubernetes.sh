# shellcheck shell=sh disable=SC2034,SC2154 # sourced with cluster.sh by the checks that ask Kubernetes
# What they share: which cluster and which of its objects. Sourced, not run.

namespace='' selector='' context=''
kubernetes_own='-n -l -x --context'

kubernetes_usage() {
    cat <<'TEXT'
  -n NAMESPACE  only this one (default: all)
  -l SELECTOR   only what has these labels, as kubectl has them
  -x PATTERN    not what matches this regular expression by NAMESPACE/NAME
  --context C   the context of the kubeconfig (default: the current one)
TEXT
    common_usage
}

# A value that begins with a dash would be an option of kubectl.
kubernetes_option() { # OPTION VALUE
    case $2 in
    '' | -*) wrong "$1 needs a value that does not begin with -, not '$2'" ;;
    esac
    case $1 in
    -n) namespace=$2 ;;
    -l) selector=$2 ;;
    -x) exclude=$2 ;;
    --context) context=$2 ;;
    esac
}

# kubectl_with ARGUMENT...: kubectl for this cluster, through `ask`, `bounded` or another word.
kubectl_with() {
    runner=$1
    shift
    "$runner" kubectl ${context:+"--context=$context"} "--request-timeout=${limit}s" "$@"
}

# kubernetes KINDS cluster|namespaced [OPTION OF KUBECTL]...: the list of them into $dir/answer.
kubernetes() {
    kinds=$1
    scope=$2
    shift 2
    if [ "$scope" = namespaced ] && [ -n "$namespace" ]; then
        set -- "$@" "--namespace=$namespace"
    elif [ "$scope" = namespaced ]; then
        set -- "$@" --all-namespaces
    fi
    kubectl_with ask get "$kinds" -o json ${selector:+"--selector=$selector"} "$@"
}
