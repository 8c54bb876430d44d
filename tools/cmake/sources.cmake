# SPDX-License-Identifier: MIT
# Every source of the library by name, one list per folder, in alphabetical order.

set(LOCKRING_PUBLIC_HEADERS
    include/lockring/base.h
    include/lockring/bytes.h
    include/lockring/certificate.h
    include/lockring/client.h
    include/lockring/conn.h
    include/lockring/context.h
    include/lockring/file.h
    include/lockring/hello.h
    include/lockring/lockring.h
    include/lockring/names.h
    include/lockring/ocsp.h
    include/lockring/run.h
    include/lockring/server.h
    include/lockring/stats.h
    include/lockring/ticket_keys.h
    include/lockring/workers.h
)

# core/base: no I/O, no TLS.
set(LOCKRING_BASE_SOURCES
    core/base/buf.c
    core/base/bytes.c
    core/base/check.c
    core/base/current.c
    core/base/histogram.c
    core/base/hostname.c
    core/base/log.c
    core/base/mailbox.c
    core/base/mem.c
    core/base/secret.c
    core/base/slab.c
    core/base/status.c
    core/base/timer.c
)

# core/io: the only folder that sees liburing.
set(LOCKRING_IO_SOURCES
    core/io/address.c
    core/io/epoll.c
    core/io/file.c
    core/io/ops.c
    core/io/recv_pool.c
    core/io/slots.c
    core/io/socket.c
    core/io/uring.c
    core/io/uring_buffers.c
    core/io/uring_file.c
    core/io/uring_refusal.c
    core/io/uring_setup.c
)

# core/tls: the only folder that sees wolfSSL.
set(LOCKRING_TLS_SOURCES
    core/tls/alert.c
    core/tls/cert_text.c
    core/tls/certificate.c
    core/tls/context.c
    core/tls/crl.c
    core/tls/dh.c
    core/tls/engine.c
    core/tls/engine_again.c
    core/tls/fingerprint.c
    core/tls/gate.c
    core/tls/hello.c
    core/tls/hello_take.c
    core/tls/identity.c
    core/tls/keys.c
    core/tls/keys_file.c
    core/tls/names.c
    core/tls/ocsp.c
    core/tls/ocsp_parse.c
    core/tls/peer.c
    core/tls/pem.c
    core/tls/pkcs12.c
    core/tls/policy.c
    core/tls/proof.c
    core/tls/rand.c
    core/tls/renegotiation.c
    core/tls/replica.c
    core/tls/selfsign.c
    core/tls/session.c
    core/tls/session_wolf.c
    core/tls/signature.c
    core/tls/sni.c
    core/tls/suites.c
    core/tls/suites_process.c
    core/tls/trial.c
    core/tls/trust.c
    core/tls/verify.c
    core/tls/wolf.c
    core/tls/x509.c
)

# core/run: joins the others.
set(LOCKRING_RUN_SOURCES
    core/run/adopt.c
    core/run/ask.c
    core/run/client.c
    core/run/conn.c
    core/run/conn_decide.c
    core/run/conn_gate.c
    core/run/conn_get.c
    core/run/conn_preface.c
    core/run/conn_read.c
    core/run/conn_renegotiate.c
    core/run/conn_session.c
    core/run/conn_write.c
    core/run/file.c
    core/run/hello.c
    core/run/hooks.c
    core/run/key_make.c
    core/run/key_store.c
    core/run/limits.c
    core/run/listener.c
    core/run/object.c
    core/run/outq.c
    core/run/publish.c
    core/run/run.c
    core/run/server.c
    core/run/stats.c
    core/run/steer.c
    core/run/version.c
    core/run/watch.c
    core/run/watchdog.c
    core/run/worker.c
    core/run/worker_api.c
    core/run/worker_keys.c
    core/run/workers.c
)

# proto: protocols for handlers; sees the public headers and core/base. The unit tests of a pure one
# compile it themselves: lockring_proto brings the library, they have the private one.
set(LOCKRING_PROTO_SOURCES
    proto/echo.c
    proto/http1.c
    proto/http1_answer.c
    proto/http1_body.c
    proto/http1_parse.c
    proto/http1_site.c
    proto/http_demo.c
    proto/http_echo.c
    proto/http_fields.c
    proto/http_files.c
    proto/http_info.c
    proto/http_path.c
    proto/http_types.c
    proto/proxy.c
    proto/proxy_parse.c
    proto/stats_text.c
)

# tests/sim: the simulated back end.
set(LOCKRING_SIM_SOURCES
    tests/sim/sim.c
    tests/sim/sim_file.c
    tests/sim/sim_net.c
    tests/sim/sim_ring.c
)

# tools: programs NAME made of tools/NAME.c, with dashes for underscores (lockring_serve.c becomes
# lockring-serve), and of LOCKRING_TOOL_SOURCES_NAME.
set(LOCKRING_TOOLS
    lockring_keys
    lockring_serve
)
set(LOCKRING_TOOL_SOURCES_lockring_keys
    tools/keys_command.c
    tools/keys_ocsp.c
    tools/keys_tickets.c
    tools/ocsp_fetch.c
    tools/ocsp_http.c
    tools/staple.c
    tools/ticket_files.c
    tools/whole_file.c
)
set(LOCKRING_TOOL_SOURCES_lockring_serve
    tools/access_log.c
    tools/ocsp_fetch.c
    tools/ocsp_http.c
    tools/path_watch.c
    tools/serve_context.c
    tools/serve_options.c
    tools/serve_proxy.c
    tools/serve_say.c
    tools/serve_staples.c
    tools/serve_tickets.c
    tools/serve_values.c
    tools/staple.c
    tools/staple_table.c
    tools/ticket_files.c
    tools/whole_file.c
)
