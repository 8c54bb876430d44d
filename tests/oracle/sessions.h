/* SPDX-License-Identifier: MIT */
/* sessions.h: the part of events.c that has to do with sessions: a store in memory. */
#ifndef LR_TESTS_ORACLE_SESSIONS_H
#define LR_TESTS_ORACLE_SESSIONS_H

#include <lockring/lockring.h>

/* What on_resume answers with; on_new_session keeps where there is a way. */
typedef enum session_way { SESSION_UNSET, SESSION_KEEP, SESSION_NULL, SESSION_ERROR } session_way;

void session_put(lr_slice id, lr_slice value);
void session_answer(session_way way, lr_slice id, lr_resume_ask ask);
void session_forget(void);

/* 96 digits. False: they are refused. */
bool session_set_keys(lr_workers *workers, const char *hex);

#endif
