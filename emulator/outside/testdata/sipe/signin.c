/*
 * Signs in to a pool with pidgin-sipe, as Pidgin would, without a window. It is the user interface of libpurple and
 * nothing else: every byte on the wire is libpurple's and pidgin-sipe's.
 *
 *     signin USER@DOMAIN LOGIN HOST:PORT tls|tcp CADIR HOME
 *
 * All names are at 127.0.0.1. CADIR holds the certificates that are trusted, HOME is a directory of libpurple's own. The
 * first line of standard input is the password; at the end of standard input it signs off. Standard output has a line
 * for each event, standard error libpurple's diary:
 *
 *     SIGNIN signed-on
 *     SIGNIN lost TEXT         the connection; it connects again
 *     SIGNIN refused TEXT      and gives up
 *     SIGNIN untrusted TEXT    a certificate, which is rejected
 *     SIGNIN signed-off        as it was told to
 *
 * The exit status is 0 after signed-off, 1 after refused, 2 when it cannot start.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <libxml/parser.h>
#include <purple.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "lpe-signin"
#define RECONNECT_MS 500

static GMainLoop *loop;
static PurpleAccount *account;
static gboolean leaving;
static int status = 2;

static void say(const char *event, const char *text)
{
	char *line = g_strdup(text ? text : "");

	printf("SIGNIN %s%s%s\n", event, *line ? " " : "", g_strdelimit(line, "\r\n", ' '));
	fflush(stdout);
	g_free(line);
}

/*
 * pidgin-sipe 1.25.0 gives libxml2 the callbacks of SAX 1 in a handler that is marked as one of SAX 2. libxml2 2.9.14 of
 * Debian 12 never calls those, so that no document of the pool has an element. Without the mark they are called. Where
 * libxml2 calls them anyway this changes nothing.
 */
int xmlSAXUserParseMemory(xmlSAXHandlerPtr sax, void *data, const char *text, int size)
{
	int (*next)(xmlSAXHandlerPtr, void *, const char *, int) = dlsym(RTLD_NEXT, "xmlSAXUserParseMemory");
	xmlSAXHandler unmarked;

	if (sax && sax->initialized == XML_SAX2_MAGIC && sax->startElement && !sax->startElementNs) {
		unmarked = *sax;
		unmarked.initialized = 1;
		sax = &unmarked;
	}
	return next(sax, data, text, size);
}

/*
 * When libpurple 2.14.12 has written its ring buffer to the very end, and what comes next makes it grow, it writes the end
 * of that before its beginning: so the message after one of 256, 512, 768... bytes is garbled, and the connection is lost.
 * An empty buffer that starts anew at its beginning cannot be in that state.
 */
void purple_circ_buffer_append(PurpleCircBuffer *buffer, gconstpointer text, gsize length)
{
	void (*next)(PurpleCircBuffer *, gconstpointer, gsize) = dlsym(RTLD_NEXT, "purple_circ_buffer_append");

	if (buffer->bufused == 0)
		buffer->inptr = buffer->outptr = buffer->buffer;
	next(buffer, text, length);
}

/* libpurple's event loop is that of GLib. */

struct watch {
	PurpleInputFunction function;
	gpointer data;
};

static gboolean watched(GIOChannel *channel, GIOCondition is, gpointer data)
{
	struct watch *w = data;
	int condition = 0;

	if (is & (G_IO_IN | G_IO_HUP | G_IO_ERR))
		condition |= PURPLE_INPUT_READ;
	if (is & (G_IO_OUT | G_IO_HUP | G_IO_ERR))
		condition |= PURPLE_INPUT_WRITE;
	w->function(w->data, g_io_channel_unix_get_fd(channel), condition);
	return TRUE;
}

static guint input_add(gint fd, PurpleInputCondition condition, PurpleInputFunction function, gpointer data)
{
	struct watch *w = g_new(struct watch, 1);
	GIOChannel *channel = g_io_channel_unix_new(fd);
	GIOCondition events = G_IO_HUP | G_IO_ERR;
	guint id;

	*w = (struct watch){ function, data };
	if (condition & PURPLE_INPUT_READ)
		events |= G_IO_IN;
	if (condition & PURPLE_INPUT_WRITE)
		events |= G_IO_OUT;
	id = g_io_add_watch_full(channel, G_PRIORITY_DEFAULT, events, watched, w, g_free);
	g_io_channel_unref(channel);
	return id;
}

static PurpleEventLoopUiOps event_loop = {
	.timeout_add = g_timeout_add,
	.timeout_add_seconds = g_timeout_add_seconds,
	.timeout_remove = g_source_remove,
	.input_add = input_add,
	.input_remove = g_source_remove,
};

static void diary(PurpleDebugLevel level, const char *category, const char *text)
{
	fprintf(stderr, "%s: %s%s", category ? category : "", text, g_str_has_suffix(text, "\n") ? "" : "\n");
}

static gboolean diary_enabled(PurpleDebugLevel level, const char *category)
{
	return TRUE;
}

static PurpleDebugUiOps debug = { .print = diary, .is_enabled = diary_enabled };

/* Every name is at 127.0.0.1. */

struct question {
	PurpleDnsQueryData *query;
	PurpleDnsQueryResolvedCallback resolved;
};

static gboolean answer(gpointer data)
{
	struct question *q = data;
	struct sockaddr_in *at = g_new0(struct sockaddr_in, 1);
	GSList *hosts;

	at->sin_family = AF_INET;
	at->sin_port = htons(purple_dnsquery_get_port(q->query));
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hosts = g_slist_append(NULL, GSIZE_TO_POINTER(sizeof *at));
	hosts = g_slist_append(hosts, at);
	q->resolved(q->query, hosts);
	g_free(q);
	return FALSE;
}

static gboolean resolve(PurpleDnsQueryData *query, PurpleDnsQueryResolvedCallback resolved, PurpleDnsQueryFailedCallback failed)
{
	struct question *q = g_new(struct question, 1);

	*q = (struct question){ query, resolved };
	g_idle_add(answer, q);
	return TRUE;
}

static void forget(PurpleDnsQueryData *query)
{
}

static PurpleDnsQueryUiOps names = { .resolve_host = resolve, .destroy = forget };

/* The one question that libpurple has is whether a certificate is to be trusted that does not chain to CADIR. */
static void *ask(const char *title, const char *primary, const char *secondary, int standard, PurpleAccount *about, const char *who,
		 PurpleConversation *conversation, void *data, size_t buttons, va_list list)
{
	PurpleRequestActionCb pressed = NULL;

	say("untrusted", primary);
	while (buttons--) {
		const char *label = va_arg(list, const char *);
		PurpleRequestActionCb callback = va_arg(list, PurpleRequestActionCb);

		if (strstr(label, "Reject"))
			pressed = callback;
	}
	if (pressed)
		pressed(data, 0);
	return NULL;
}

static PurpleRequestUiOps requests = { .request_action = ask };

static gboolean connect_again(gpointer unused)
{
	if (!leaving)
		purple_account_connect(account);
	return FALSE;
}

static void disconnected(PurpleConnection *connection, PurpleConnectionError why, const char *text)
{
	if (leaving)
		return;
	if (purple_connection_error_is_fatal(why)) {
		say("refused", text);
		status = 1;
		g_main_loop_quit(loop);
		return;
	}
	say("lost", text);
	g_timeout_add(RECONNECT_MS, connect_again, NULL);
}

static PurpleConnectionUiOps connections = { .report_disconnect_reason = disconnected };

static void signed_on(PurpleConnection *connection, gpointer unused)
{
	say("signed-on", NULL);
}

/* read_line reads standard input to the end of a line without reading more. */
static void read_line(char *line, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && read(STDIN_FILENO, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = 0;
}

static gboolean told_to_leave(GIOChannel *channel, GIOCondition is, gpointer unused)
{
	char rest[64];

	if (read(STDIN_FILENO, rest, sizeof rest) > 0)
		return TRUE;
	leaving = TRUE;
	g_main_loop_quit(loop);
	return FALSE;
}

int main(int argc, char **argv)
{
	static int handle;
	char password[256];
	char *name;

	if (argc != 7) {
		fprintf(stderr, "usage: %s USER@DOMAIN LOGIN HOST:PORT tls|tcp CADIR HOME\n", argv[0]);
		return 2;
	}
	read_line(password, sizeof password);
	signal(SIGPIPE, SIG_IGN);
	loop = g_main_loop_new(NULL, FALSE);

	purple_util_set_user_dir(argv[6]);
	purple_debug_set_ui_ops(&debug);
	purple_debug_set_verbose(TRUE);
	purple_debug_set_unsafe(TRUE); /* otherwise pidgin-sipe leaves its messages out of the diary */
	purple_eventloop_set_ui_ops(&event_loop);
	purple_dnsquery_set_ui_ops(&names);
	purple_request_set_ui_ops(&requests);
	purple_connections_set_ui_ops(&connections);
	purple_certificate_add_ca_search_path(argv[5]);
	purple_plugins_add_search_path("/usr/lib/purple-2");
	if (!purple_core_init(NAME)) {
		fputs("libpurple does not start\n", stderr);
		return 2;
	}
	if (!purple_find_prpl("prpl-sipe")) {
		fputs("libpurple has no pidgin-sipe\n", stderr);
		return 2;
	}
	purple_set_blist(purple_blist_new());

	name = g_strdup_printf("%s,%s", argv[1], argv[2]);
	account = purple_account_new(name, "prpl-sipe");
	purple_account_set_password(account, password);
	purple_account_set_string(account, "server", argv[3]);
	purple_account_set_string(account, "transport", argv[4]);
	purple_account_set_string(account, "authentication", "tls-dsk");
	purple_account_set_bool(account, "dont-publish", TRUE); /* no calendar, which it would look for by autodiscover */
	purple_accounts_add(account);

	purple_signal_connect(purple_connections_get_handle(), "signed-on", &handle, PURPLE_CALLBACK(signed_on), NULL);
	g_io_add_watch(g_io_channel_unix_new(STDIN_FILENO), G_IO_IN | G_IO_HUP, told_to_leave, NULL);
	purple_savedstatus_activate(purple_savedstatus_new(NULL, PURPLE_STATUS_AVAILABLE));
	purple_account_set_enabled(account, NAME, TRUE);
	g_main_loop_run(loop);

	if (leaving) {
		purple_account_disconnect(account);
		while (g_main_context_iteration(NULL, FALSE))
			;
		say("signed-off", NULL);
		status = 0;
	}
	_exit(status); /* what libpurple's own end does is not the matter here */
}
