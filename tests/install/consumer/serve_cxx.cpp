/* SPDX-License-Identifier: MIT */
/* A server in C++17: serves one connection of its own client and ends. Options are filled by
 * lambdas where C has designated initialisers. */
#include <lockring/lockring.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace
{

/* Each options struct begins with its own size; every other field is zero until fill sets it. */
template <typename Options, typename Fill> Options make(Fill fill)
{
    Options options = {};

    options.size = sizeof(options);
    fill(options);
    return options;
}

template <auto free> struct Freed {
    template <typename T> void operator()(T *object) const
    {
        free(object);
    }
};
using Workers = std::unique_ptr<lr_workers, Freed<lr_workers_free>>;
using Context = std::unique_ptr<lr_context, Freed<lr_context_release>>;
using Server = std::unique_ptr<lr_server, Freed<lr_server_free>>;
using Client = std::unique_ptr<lr_client, Freed<lr_client_free>>;

struct Play {
    lr_workers *workers;
    lr_client *client;
    std::uint16_t port;
    std::string served, heard; /* written by the one worker, read after the join */
    lr_status failure = LR_OK;
};

Play *play_of(lr_conn *c)
{
    lr_server *server = lr_conn_server(c);

    return static_cast<Play *>(server ? lr_server_user(server) : lr_client_user(lr_conn_client(c)));
}

std::string_view view(lr_slice bytes)
{
    return {reinterpret_cast<const char *>(bytes.bytes), bytes.len};
}

void serve(lr_conn *c, lr_slice bytes)
{
    play_of(c)->served += view(bytes);
    if (lr_conn_write(c, bytes) != LR_OK)
        lr_conn_abort(c, LR_OK);
}

void hear(lr_conn *c, lr_slice bytes)
{
    play_of(c)->heard += view(bytes);
    if (play_of(c)->heard.size() >= 5)
        lr_conn_end(c);
}

void over(lr_conn *c, const lr_error *why)
{
    if (why)
        play_of(c)->failure = why->status;
    lr_workers_stop(play_of(c)->workers, 10000);
}

/* On the worker: made connections begin there. */
void begin(lr_worker *worker, void *arg)
{
    auto *play = static_cast<Play *>(arg);
    lr_conn *c = nullptr;
    auto to = make<lr_connect_options>([&](auto &o) {
        o.host = "127.0.0.1";
        o.port = play->port;
    });

    play->failure = lr_client_connect(play->client, worker, &to, &c, nullptr);
    if (play->failure != LR_OK)
        lr_workers_stop(play->workers, 0);
}

int fail(const lr_error &err)
{
    std::fprintf(stderr, "%s: %s\n", lr_status_name(err.status), err.text);
    return 1;
}

} // namespace

int main()
{
    lr_error err = {};
    Play play = {};
    lr_workers *workers = nullptr;
    lr_context *context = nullptr;
    lr_server *server = nullptr;
    lr_client *client = nullptr;
    auto on = make<lr_workers_options>([](auto &o) { o.worker_count = 1; });
    auto own = make<lr_context_options>([](auto &o) { o.self_signed = "localhost"; });
    auto serving = make<lr_handlers>([](auto &o) { o.on_data = serve; });
    auto asking = make<lr_handlers>([](auto &o) {
        o.on_secure = [](lr_conn *c) {
            if (lr_conn_write(c, LR_LIT("hello")) != LR_OK)
                lr_conn_abort(c, LR_OK);
        };
        o.on_data = hear;
        o.on_close = over;
    });

    if (lr_workers_new(&on, &workers, &err) != LR_OK)
        return fail(err);
    Workers workers_owner(workers);
    if (lr_context_new(&own, &context, &err) != LR_OK)
        return fail(err);
    Context context_owner(context);
    auto in = make<lr_server_options>([&](auto &o) {
        o.handlers = &serving;
        o.context = context;
        o.user = &play;
    });
    if (lr_server_new(workers, &in, &server, &err) != LR_OK)
        return fail(err);
    Server server_owner(server);
    auto out = make<lr_client_options>([&](auto &o) {
        o.handlers = &asking;
        o.user = &play;
    });
    if (lr_client_new(workers, &out, &client, &err) != LR_OK)
        return fail(err);
    Client client_owner(client);
    auto listen = make<lr_listen_options>([](auto &o) {
        o.host = "127.0.0.1";
        o.plain = true; /* a made connection speaks no TLS in this version */
    });
    if (lr_server_listen(server, &listen, nullptr, &err) != LR_OK)
        return fail(err);
    play.workers = workers;
    play.client = client;
    play.port = lr_server_port(server, 0);
    if (lr_workers_start(workers, &err) != LR_OK)
        return fail(err);
    if (lr_worker_post(lr_workers_worker(workers, 0), begin, &play) != LR_OK)
        lr_workers_stop(workers, 0);
    lr_workers_join(workers);
    if (play.failure != LR_OK || play.served != "hello" || play.heard != "hello") {
        std::fprintf(stderr, "%s: served '%s', heard '%s'\n", lr_status_name(play.failure),
                     play.served.c_str(), play.heard.c_str());
        return 1;
    }
    return 0;
}
