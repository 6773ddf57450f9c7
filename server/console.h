/*
 * The console: pages for people and their scripts, embedded by server/embed_console.py. They contain no data and need
 * no API key: a person types the key, and the scripts send it to the management API. HL_CONSOLE_PASS protects them with
 * a password (Basic, user admin). Handlers of routes.
 */
#ifndef SERVER_CONSOLE_H
#define SERVER_CONSOLE_H

struct acceptor;
struct exchange;

/* GET /console: the page. 404 console_disabled where HL_CONSOLE_ENABLED is off. */
void console_page(struct acceptor *acceptor, struct exchange *exchange);

/* GET /console/{name}: a script, the style sheet, the icon. 404 as above, or if there is no such file. */
void console_file(struct acceptor *acceptor, struct exchange *exchange);

/* GET /v1/dev/inbox/ui: the page of the development receiver. 404 as above, or dev_inbox_disabled. */
void console_inbox(struct acceptor *acceptor, struct exchange *exchange);

#endif
