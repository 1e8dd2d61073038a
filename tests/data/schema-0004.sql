-- A database of schema 0004, with books, history and accounts: `test_migrations` upgrades it.
-- The password of both accounts is "a long enough password".
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE books (
	id INTEGER NOT NULL, 
	title VARCHAR(2000) NOT NULL, 
	subtitle VARCHAR(2000), 
	authors TEXT NOT NULL, 
	isbn VARCHAR(13), 
	publisher VARCHAR(500), 
	published VARCHAR(11), 
	language VARCHAR(100), 
	series VARCHAR(500), 
	series_number VARCHAR(50), 
	edition VARCHAR(200), 
	pages INTEGER, 
	description TEXT, 
	subjects TEXT NOT NULL, 
	identifiers TEXT NOT NULL, 
	cover_url VARCHAR(2000), 
	version INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	title_key VARCHAR(700) NOT NULL, 
	author_key VARCHAR(700), 
	published_key INTEGER, 
	live_isbn VARCHAR(13) GENERATED ALWAYS AS (CASE WHEN deleted_at IS NULL THEN isbn END) VIRTUAL, publisher_key VARCHAR(700), series_key VARCHAR(700), 
	CONSTRAINT pk_books PRIMARY KEY (id), 
	CONSTRAINT uq_books_live_isbn UNIQUE (live_isbn)
);
CREATE TABLE book_authors (
	book_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	name_key VARCHAR(700) NOT NULL, 
	CONSTRAINT pk_book_authors PRIMARY KEY (book_id, position), 
	CONSTRAINT fk_book_authors_book_id FOREIGN KEY(book_id) REFERENCES books (id) ON DELETE CASCADE
);
CREATE TABLE book_subjects (
	book_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	name_key VARCHAR(700) NOT NULL, 
	CONSTRAINT pk_book_subjects PRIMARY KEY (book_id, position), 
	CONSTRAINT fk_book_subjects_book_id FOREIGN KEY(book_id) REFERENCES books (id) ON DELETE CASCADE
);
CREATE TABLE book_identifiers (
	book_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	scheme VARCHAR(32) NOT NULL, 
	value VARCHAR(500) NOT NULL, 
	CONSTRAINT pk_book_identifiers PRIMARY KEY (book_id, position), 
	CONSTRAINT fk_book_identifiers_book_id FOREIGN KEY(book_id) REFERENCES books (id) ON DELETE CASCADE
);
CREATE TABLE users (
	id INTEGER NOT NULL, 
	username VARCHAR(64) NOT NULL, 
	name_key VARCHAR(255) NOT NULL, 
	password_hash VARCHAR(255) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	active BOOLEAN NOT NULL, 
	provisional BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, totp_offered VARCHAR(64), totp_secret VARCHAR(64), totp_step BIGINT, recovery_hashes TEXT, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT uq_users_name_key UNIQUE (name_key)
);
CREATE TABLE sessions (
	id INTEGER NOT NULL, 
	secret_hash VARCHAR(64) NOT NULL, 
	user_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	last_seen_at DATETIME NOT NULL, address VARCHAR(64), user_agent VARCHAR(200), 
	CONSTRAINT pk_sessions PRIMARY KEY (id), 
	CONSTRAINT uq_sessions_secret_hash UNIQUE (secret_hash), 
	CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE "catalogue" (
	id INTEGER NOT NULL, 
	seq BIGINT NOT NULL, 
	last_id BIGINT NOT NULL, 
	total BIGINT NOT NULL, 
	mark BIGINT NOT NULL, last_user_id BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_catalogue PRIMARY KEY (id)
);
CREATE TABLE book_words (
	book_id INTEGER NOT NULL, 
	words TEXT NOT NULL, 
	CONSTRAINT pk_book_words PRIMARY KEY (book_id), 
	CONSTRAINT fk_book_words_book_id FOREIGN KEY(book_id) REFERENCES books (id) ON DELETE CASCADE
);
CREATE VIRTUAL TABLE book_words_index USING fts5 (words, content = 'book_words', content_rowid = 'book_id',
       tokenize = 'ascii', columnsize = 0);
CREATE TABLE history (
	seq INTEGER NOT NULL, 
	book_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	action VARCHAR(8) NOT NULL, 
	version INTEGER NOT NULL, 
	username VARCHAR(64), 
	changes TEXT NOT NULL, 
	CONSTRAINT pk_history PRIMARY KEY (seq)
);
CREATE TABLE idempotency_keys (
	user_id INTEGER NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	request_hash VARCHAR(64) NOT NULL, 
	status INTEGER NOT NULL, 
	headers TEXT NOT NULL, 
	body BLOB NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_idempotency_keys PRIMARY KEY (user_id, "key"), 
	CONSTRAINT fk_idempotency_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE tokens (
	id INTEGER NOT NULL, 
	secret_hash VARCHAR(64) NOT NULL, 
	user_id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	scope VARCHAR(8) NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME, 
	last_used_at DATETIME, 
	CONSTRAINT pk_tokens PRIMARY KEY (id), 
	CONSTRAINT uq_tokens_secret_hash UNIQUE (secret_hash), 
	CONSTRAINT fk_tokens_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	action VARCHAR(32) NOT NULL, 
	username VARCHAR(64), 
	actor VARCHAR(64), 
	address VARCHAR(64), 
	request_id VARCHAR(128), 
	detail VARCHAR(300), 
	CONSTRAINT pk_events PRIMARY KEY (id)
);
CREATE TABLE throttles (
	subject VARCHAR(64) NOT NULL, 
	failures DOUBLE NOT NULL, 
	last_at DATETIME NOT NULL, 
	void_at DATETIME NOT NULL, 
	CONSTRAINT pk_throttles PRIMARY KEY (subject)
);
CREATE INDEX ix_books_deleted_at_id ON books (deleted_at, id);
CREATE INDEX ix_book_authors_name_key_book_id ON book_authors (name_key, book_id);
CREATE INDEX ix_book_subjects_name_key_book_id ON book_subjects (name_key, book_id);
CREATE INDEX ix_book_identifiers_scheme_value_book_id ON book_identifiers (scheme, value, book_id);
CREATE INDEX ix_sessions_user_id ON sessions (user_id);
CREATE INDEX ix_books_deleted_at_title_key_id ON books (deleted_at, title_key, id);
CREATE INDEX ix_books_deleted_at_author_key_id ON books (deleted_at, author_key, id);
CREATE INDEX ix_books_deleted_at_publisher_key_id ON books (deleted_at, publisher_key, id);
CREATE INDEX ix_books_deleted_at_series_key_id ON books (deleted_at, series_key, id);
CREATE INDEX ix_books_deleted_at_published_key_id ON books (deleted_at, published_key, id);
CREATE INDEX ix_books_deleted_at_language_id ON books (deleted_at, language, id);
CREATE INDEX ix_books_deleted_at_created_at_id ON books (deleted_at, created_at, id);
CREATE INDEX ix_books_deleted_at_updated_at_id ON books (deleted_at, updated_at, id);
CREATE INDEX ix_history_book_id_seq ON history (book_id, seq);
CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);
CREATE INDEX ix_sessions_created_at ON sessions (created_at);
CREATE INDEX ix_tokens_user_id ON tokens (user_id);
CREATE INDEX ix_events_at ON events (at);
CREATE INDEX ix_throttles_void_at ON throttles (void_at);
CREATE TRIGGER book_words_insert AFTER INSERT ON book_words BEGIN
       INSERT INTO book_words_index (rowid, words) VALUES (new.book_id, new.words); END;
CREATE TRIGGER book_words_delete AFTER DELETE ON book_words BEGIN
       INSERT INTO book_words_index (book_words_index, rowid, words) VALUES ('delete', old.book_id, old.words); END;
CREATE TRIGGER book_words_update AFTER UPDATE ON book_words BEGIN
       INSERT INTO book_words_index (book_words_index, rowid, words) VALUES ('delete', old.book_id, old.words);
       INSERT INTO book_words_index (rowid, words) VALUES (new.book_id, new.words); END;
INSERT INTO alembic_version (version_num) VALUES ('0004');
INSERT INTO catalogue (id, seq, last_id, total, mark, last_user_id) VALUES (1, 12, 7, 5, 265671489253324164, 3);
INSERT INTO users (id, username, name_key, password_hash, role, active, provisional, created_at, totp_offered, totp_secret, totp_step, recovery_hashes) VALUES (1, 'admin', 'admin', '$argon2id$v=19$m=8,t=1,p=1$eiISE5XE4LQYzg7+F6qxwA$SyUGynjxu8RuhknBkXync1HpqT2GHmm049I+LxRxn2I', 'admin', 1, 0, '2026-11-29 14:25:49.925034', NULL, NULL, NULL, NULL);
INSERT INTO users (id, username, name_key, password_hash, role, active, provisional, created_at, totp_offered, totp_secret, totp_step, recovery_hashes) VALUES (2, 'member', 'member', '$argon2id$v=19$m=8,t=1,p=1$eiISE5XE4LQYzg7+F6qxwA$SyUGynjxu8RuhknBkXync1HpqT2GHmm049I+LxRxn2I', 'member', 0, 0, '2026-11-29 14:25:49.934921', NULL, NULL, NULL, NULL);
INSERT INTO books (id, title, subtitle, authors, isbn, publisher, published, language, series, series_number, edition, pages, description, subjects, identifiers, cover_url, version, created_at, updated_at, deleted_at, title_key, author_key, published_key, publisher_key, series_key) VALUES (1, 'Emma', NULL, '["Jane Austen","JANE AUSTEN"]', '9780141439587', 'John Murray', '1815-12', 'en-GB', 'Classics', NULL, NULL, 512, 'Handsome, clever and rich', '["Fiction","fiction"]', '[]', NULL, 2, '2026-11-29 14:25:49.984665', '2026-11-29 14:25:50.010405', NULL, 'emma', 'jane austen', 18151200, 'john murray', 'classics');
INSERT INTO books (id, title, subtitle, authors, isbn, publisher, published, language, series, series_number, edition, pages, description, subjects, identifiers, cover_url, version, created_at, updated_at, deleted_at, title_key, author_key, published_key, publisher_key, series_key) VALUES (2, 'Łódź', NULL, '["Søren Æbelø"]', NULL, 'Łódź Press', '-0720', 'pl', 'Đ', NULL, NULL, NULL, NULL, '["Łódź","Œuvre"]', '[]', NULL, 1, '2026-11-29 14:25:49.990108', '2026-11-29 14:25:49.990108', NULL, 'lodz', 'soren aebelo', -7200000, 'lodz press', 'd');
INSERT INTO books (id, title, subtitle, authors, isbn, publisher, published, language, series, series_number, edition, pages, description, subjects, identifiers, cover_url, version, created_at, updated_at, deleted_at, title_key, author_key, published_key, publisher_key, series_key) VALUES (3, '红楼梦', NULL, '["曹雪芹"]', NULL, NULL, NULL, 'zh', NULL, NULL, NULL, NULL, '石头
记', '[]', '[{"scheme":"lccn","value":"1"}]', NULL, 1, '2026-11-29 14:25:49.992791', '2026-11-29 14:25:49.992791', NULL, '红楼梦', '曹雪芹', NULL, NULL, NULL);
INSERT INTO books (id, title, subtitle, authors, isbn, publisher, published, language, series, series_number, edition, pages, description, subjects, identifiers, cover_url, version, created_at, updated_at, deleted_at, title_key, author_key, published_key, publisher_key, series_key) VALUES (4, 'O''Brien \ "C++"', NULL, '[]', NULL, NULL, '9999-12-31', NULL, NULL, NULL, NULL, NULL, NULL, '["O''Brien","C++"]', '[]', NULL, 1, '2026-11-29 14:25:49.994842', '2026-11-29 14:25:49.994842', NULL, 'o''brien \ "c++"', NULL, 99991231, NULL, NULL);
INSERT INTO books (id, title, subtitle, authors, isbn, publisher, published, language, series, series_number, edition, pages, description, subjects, identifiers, cover_url, version, created_at, updated_at, deleted_at, title_key, author_key, published_key, publisher_key, series_key) VALUES (5, 'Thrown away', NULL, '["Jane Austen"]', '9780306406157', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[]', '[]', NULL, 2, '2026-11-29 14:25:49.996543', '2026-11-29 14:25:50.020666', '2026-11-29 14:25:50.020666', 'thrown away', 'jane austen', NULL, NULL, NULL);
INSERT INTO books (id, title, subtitle, authors, isbn, publisher, published, language, series, series_number, edition, pages, description, subjects, identifiers, cover_url, version, created_at, updated_at, deleted_at, title_key, author_key, published_key, publisher_key, series_key) VALUES (7, 'No author', NULL, '[]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[]', '[]', NULL, 3, '2026-11-29 14:25:50.004905', '2026-11-29 14:25:50.044769', NULL, 'no author', NULL, NULL, NULL, NULL);
INSERT INTO book_authors (book_id, position, name, name_key) VALUES (1, 0, 'Jane Austen', 'jane austen');
INSERT INTO book_authors (book_id, position, name, name_key) VALUES (2, 0, 'Søren Æbelø', 'soren aebelo');
INSERT INTO book_authors (book_id, position, name, name_key) VALUES (3, 0, '曹雪芹', '曹雪芹');
INSERT INTO book_authors (book_id, position, name, name_key) VALUES (5, 0, 'Jane Austen', 'jane austen');
INSERT INTO book_identifiers (book_id, position, scheme, value) VALUES (3, 0, 'lccn', '1');
INSERT INTO book_subjects (book_id, position, name, name_key) VALUES (1, 0, 'Fiction', 'fiction');
INSERT INTO book_subjects (book_id, position, name, name_key) VALUES (2, 0, 'Łódź', 'lodz');
INSERT INTO book_subjects (book_id, position, name, name_key) VALUES (2, 1, 'Œuvre', 'oeuvre');
INSERT INTO book_subjects (book_id, position, name, name_key) VALUES (4, 0, 'O''Brien', 'o''brien');
INSERT INTO book_subjects (book_id, position, name, name_key) VALUES (4, 1, 'C++', 'c++');
INSERT INTO book_words (book_id, words) VALUES (1, 'eq4fa41405e549a4d15c84691f bbb tqemma bbb hqemma bbb hqjane hqausten bbb hqjane hqausten bbb hqclassics bbb aqemma bbb aqjane aqausten bbb aqjane aqausten bbb aqclassics bbb aqjohn aqmurray bbb aqfiction bbb aqfiction bbb aqhandsome aqclever aqand aqrich bbb aq9780141439587');
INSERT INTO book_words (book_id, words) VALUES (2, 'eq21bea2395073c00c7bdc913e bbb tqlodz03e bbb hqlodz03e bbb hqsoren hqaebelo bbb hqd bbb aqlodz03e bbb aqsoren aqaebelo bbb aqd bbb aqlodz03e aqpress bbb aqlodz03e bbb aqoeuvre');
INSERT INTO book_words (book_id, words) VALUES (3, 'eq7517f5e1a60bf09c3b42294f bbb tqzp0i tqzku4 tqzko6 bbb hqzp0i hqzku4 hqzko6 bbb hqzkc9 hqztt6 hqzptl bbb aqzp0i aqzku4 aqzko6 bbb aqzkc9 aqztt6 aqzptl bbb aqznoz aqzhmc aqzrlc');
INSERT INTO book_words (book_id, words) VALUES (4, 'eqb99b183a8f209159fd920118 bbb tqo tqbrien tqc bbb hqo hqbrien hqc bbb aqo aqbrien aqc bbb aqo aqbrien bbb aqc');
INSERT INTO book_words (book_id, words) VALUES (5, 'exda5294a3e79009b60b5ecebc bbb txthrown txaway bbb hxthrown hxaway bbb hxjane hxausten bbb axthrown axaway bbb axjane axausten bbb ax9780306406157');
INSERT INTO book_words (book_id, words) VALUES (7, 'eqde629fceb8dec9fb843cbcbb bbb tqno tqauthor bbb hqno hqauthor bbb aqno aqauthor');
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (1, '2026-11-29 14:25:49.927442', 'user_added', 'admin', NULL, NULL, NULL, 'role admin');
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (10, '2026-11-29 14:25:50.216734', 'login_refused', 'nobody', NULL, '127.0.0.1', 'b0557ef4fb8b40f7bb72f09ebe16c65d', 'unknown name');
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (2, '2026-11-29 14:25:49.939923', 'user_added', 'member', NULL, NULL, NULL, 'role member');
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (3, '2026-11-29 14:25:49.943498', 'user_added', 'left', NULL, NULL, NULL, 'role member');
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (4, '2026-11-29 14:25:49.975809', 'login', 'admin', 'admin', '127.0.0.1', 'cc755a4f7aca408b94e486d17a37ab15', NULL);
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (5, '2026-11-29 14:25:50.064535', 'token_added', 'admin', 'admin', '127.0.0.1', '8ea980348c3c4148ae756ba4106f72dc', 'kept (write, id 1)');
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (6, '2026-11-29 14:25:50.070448', 'token_added', 'admin', 'admin', '127.0.0.1', '3c6b3851c6e744dda6ff75c7e74dfeb9', 'revoked (write, id 2)');
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (7, '2026-11-29 14:25:50.088358', 'token_revoked', 'admin', 'admin', '127.0.0.1', 'd62c89c6eea24ac8a3ff109508a14939', 'revoked (write, id 2)');
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (8, '2026-11-29 14:25:50.101910', 'user_disabled', 'member', 'admin', '127.0.0.1', 'bffb90602227495ca59f6523e0dca4e9', NULL);
INSERT INTO events (id, at, action, username, actor, address, request_id, detail) VALUES (9, '2026-11-29 14:25:50.117919', 'user_deleted', 'left', 'admin', '127.0.0.1', '81758a8133d74f7690a9f44c879d2b18', NULL);
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (1, 1, '2026-11-29 14:25:49.984665', 'created', 1, 'admin', '[{"field":"title","before":null,"after":"Emma"},{"field":"authors","before":null,"after":["Jane Austen","JANE AUSTEN"]},{"field":"isbn","before":null,"after":"9780141439587"},{"field":"publisher","before":null,"after":"John Murray"},{"field":"published","before":null,"after":"1815-12"},{"field":"language","before":null,"after":"en-GB"},{"field":"series","before":null,"after":"Classics"},{"field":"description","before":null,"after":"Handsome, clever and rich"},{"field":"subjects","before":null,"after":["Fiction","fiction"]}]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (10, 6, '2026-11-29 14:25:50.023232', 'deleted', 2, 'admin', '[]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (11, 7, '2026-11-29 14:25:50.040627', 'deleted', 2, 'admin', '[]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (12, 7, '2026-11-29 14:25:50.044769', 'restored', 3, 'admin', '[]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (2, 2, '2026-11-29 14:25:49.990108', 'created', 1, 'admin', '[{"field":"title","before":null,"after":"Łódź"},{"field":"authors","before":null,"after":["Søren Æbelø"]},{"field":"publisher","before":null,"after":"Łódź Press"},{"field":"published","before":null,"after":"-0720"},{"field":"language","before":null,"after":"pl"},{"field":"series","before":null,"after":"Đ"},{"field":"subjects","before":null,"after":["Łódź","Œuvre"]}]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (3, 3, '2026-11-29 14:25:49.992791', 'created', 1, 'admin', '[{"field":"title","before":null,"after":"红楼梦"},{"field":"authors","before":null,"after":["曹雪芹"]},{"field":"language","before":null,"after":"zh"},{"field":"description","before":null,"after":"石头\n记"},{"field":"identifiers","before":null,"after":[{"scheme":"lccn","value":"1"}]}]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (4, 4, '2026-11-29 14:25:49.994842', 'created', 1, 'admin', '[{"field":"title","before":null,"after":"O''Brien \\ \"C++\""},{"field":"published","before":null,"after":"9999-12-31"},{"field":"subjects","before":null,"after":["O''Brien","C++"]}]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (5, 5, '2026-11-29 14:25:49.996543', 'created', 1, 'admin', '[{"field":"title","before":null,"after":"Thrown away"},{"field":"authors","before":null,"after":["Jane Austen"]},{"field":"isbn","before":null,"after":"9780306406157"}]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (6, 6, '2026-11-29 14:25:50.000619', 'created', 1, 'admin', '[]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (7, 7, '2026-11-29 14:25:50.004905', 'created', 1, 'admin', '[{"field":"title","before":null,"after":"No author"}]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (8, 1, '2026-11-29 14:25:50.010405', 'updated', 2, 'admin', '[{"field":"pages","before":null,"after":512}]');
INSERT INTO history (seq, book_id, at, action, version, username, changes) VALUES (9, 5, '2026-11-29 14:25:50.020666', 'deleted', 2, 'admin', '[]');
INSERT INTO idempotency_keys (user_id, key, request_hash, status, headers, body, created_at) VALUES (1, 'k0', 'b0acfbe9cd062d1407d0bc3f9df9f38c3c0c988fc65c023b7008b71c240feac8', 201, '[["Content-Type","application/json"],["ETag","\"1-1-json\""],["Location","http://localhost/books/1"],["Content-Length","445"]]', X'7B226964223A312C227469746C65223A22456D6D61222C227375627469746C65223A6E756C6C2C22617574686F7273223A5B224A616E652041757374656E222C224A414E452041555354454E225D2C226973626E223A2239373830313431343339353837222C227075626C6973686572223A224A6F686E204D7572726179222C227075626C6973686564223A22313831352D3132222C226C616E6775616765223A22656E2D4742222C22736572696573223A22436C617373696373222C227365726965735F6E756D626572223A6E756C6C2C2265646974696F6E223A6E756C6C2C227061676573223A6E756C6C2C226465736372697074696F6E223A2248616E64736F6D652C20636C6576657220616E642072696368222C227375626A65637473223A5B2246696374696F6E222C2266696374696F6E225D2C226964656E74696669657273223A5B5D2C22636F7665725F75726C223A6E756C6C2C2276657273696F6E223A312C22637265617465645F6174223A22323032362D31312D32395431343A32353A34392E3938343636355A222C22757064617465645F6174223A22323032362D31312D32395431343A32353A34392E3938343636355A227D', '2026-11-29 14:25:49.987003');
INSERT INTO idempotency_keys (user_id, key, request_hash, status, headers, body, created_at) VALUES (1, 'k1', 'f4295863ee03b6b17971b991f62f6fc93a14d592fc752e6fa4d64e8ee9dd444d', 201, '[["Content-Type","application/json"],["ETag","\"2-1-json\""],["Location","http://localhost/books/2"],["Content-Length","393"]]', X'7B226964223A322C227469746C65223A22C581C3B364C5BA222C227375627469746C65223A6E756C6C2C22617574686F7273223A5B2253C3B872656E20C38662656CC3B8225D2C226973626E223A6E756C6C2C227075626C6973686572223A22C581C3B364C5BA205072657373222C227075626C6973686564223A222D30373230222C226C616E6775616765223A22706C222C22736572696573223A22C490222C227365726965735F6E756D626572223A6E756C6C2C2265646974696F6E223A6E756C6C2C227061676573223A6E756C6C2C226465736372697074696F6E223A6E756C6C2C227375626A65637473223A5B22C581C3B364C5BA222C22C59275767265225D2C226964656E74696669657273223A5B5D2C22636F7665725F75726C223A6E756C6C2C2276657273696F6E223A312C22637265617465645F6174223A22323032362D31312D32395431343A32353A34392E3939303130385A222C22757064617465645F6174223A22323032362D31312D32395431343A32353A34392E3939303130385A227D', '2026-11-29 14:25:49.990584');
INSERT INTO sessions (id, secret_hash, user_id, created_at, last_seen_at, address, user_agent) VALUES (1, '69c68c81578476576b4ba24fd03c7299104024eff9e993035397a5269b67a22b', 1, '2026-11-29 14:25:49.974929', '2026-11-29 14:25:49.974933', '127.0.0.1', 'Werkzeug/3.1.9');
INSERT INTO throttles (subject, failures, last_at, void_at) VALUES ('5cb01652e9d4c3a822628b8cb5cad545ebe438dfbcb8533942aea3079556bb53', 1.0, '2026-11-29 14:25:50.129288', '2026-11-29 14:26:50.129288');
INSERT INTO throttles (subject, failures, last_at, void_at) VALUES ('ddb4e6add1a7f2d9e88f9ddb88e5c1010d8c85e8bddab50832c75cb1ee8d1ce8', 1.0, '2026-11-29 14:25:50.129288', '2026-11-29 15:25:50.129288');
INSERT INTO tokens (id, secret_hash, user_id, name, scope, created_at, expires_at, last_used_at) VALUES (1, '034ab1fecef178b389d12ffa989763dd89ced35deb813b21d4827c03fba641aa', 1, 'kept', 'write', '2026-11-29 14:25:50.063786', NULL, NULL);
