# The program alone, as `make dist` builds it: no shell, no library, nobody's privileges.
#   make dist && docker build -t lpe .
#   docker run --rm lpe boot --lab
# On an interface: --network host --user 0 --cap-drop ALL --cap-add NET_RAW, and --mac, because a container has no machine-id.
FROM scratch
ARG TARGETOS=linux
ARG TARGETARCH=amd64
COPY dist/lpe-${TARGETOS}-${TARGETARCH} /lpe
USER 65534:65534
ENTRYPOINT ["/lpe"]
CMD ["help"]
