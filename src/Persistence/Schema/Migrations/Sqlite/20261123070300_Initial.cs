using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Pipeline.Persistence.Schema.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "agent_run",
                columns: table => new
                {
                    stream = table.Column<string>(type: "TEXT", nullable: false),
                    run = table.Column<string>(type: "TEXT", nullable: false),
                    thread = table.Column<string>(type: "TEXT", nullable: false),
                    agent = table.Column<string>(type: "TEXT", nullable: false),
                    status = table.Column<int>(type: "INTEGER", nullable: false),
                    attempt = table.Column<int>(type: "INTEGER", nullable: false),
                    lease_counter = table.Column<long>(type: "INTEGER", nullable: false),
                    lease_seconds = table.Column<int>(type: "INTEGER", nullable: true),
                    worker = table.Column<Guid>(type: "TEXT", nullable: true),
                    last_sequence = table.Column<long>(type: "INTEGER", nullable: false),
                    cancel_requested = table.Column<bool>(type: "INTEGER", nullable: false),
                    input = table.Column<string>(type: "TEXT", nullable: false),
                    requested_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    started_at = table.Column<DateTime>(type: "TEXT", nullable: true),
                    ended_at = table.Column<DateTime>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_agent_run", x => new { x.stream, x.run });
                });

            migrationBuilder.CreateTable(
                name: "client_ack",
                columns: table => new
                {
                    stream = table.Column<string>(type: "TEXT", nullable: false),
                    client = table.Column<string>(type: "TEXT", nullable: false),
                    epoch = table.Column<string>(type: "TEXT", nullable: false),
                    position = table.Column<long>(type: "INTEGER", nullable: false),
                    updated_at = table.Column<DateTime>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_client_ack", x => new { x.stream, x.client });
                });

            migrationBuilder.CreateTable(
                name: "event_log",
                columns: table => new
                {
                    stream = table.Column<string>(type: "TEXT", nullable: false),
                    position = table.Column<long>(type: "INTEGER", nullable: false),
                    event_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    type = table.Column<string>(type: "TEXT", nullable: false),
                    thread = table.Column<string>(type: "TEXT", nullable: false),
                    run = table.Column<string>(type: "TEXT", nullable: false),
                    sequence = table.Column<long>(type: "INTEGER", nullable: false),
                    occurred_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    stored_at = table.Column<DateTime>(type: "TEXT", nullable: false, defaultValueSql: "strftime('%Y-%m-%d %H:%M:%f', 'now')"),
                    hash = table.Column<byte[]>(type: "BLOB", nullable: false),
                    body = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_event_log", x => new { x.stream, x.position });
                });

            migrationBuilder.CreateTable(
                name: "idempotency",
                columns: table => new
                {
                    stream = table.Column<string>(type: "TEXT", nullable: false),
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    body_hash = table.Column<byte[]>(type: "BLOB", nullable: false),
                    result = table.Column<string>(type: "TEXT", nullable: false),
                    expires_at = table.Column<DateTime>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_idempotency", x => new { x.stream, x.key });
                });

            migrationBuilder.CreateTable(
                name: "log_generation",
                columns: table => new
                {
                    id = table.Column<int>(type: "INTEGER", nullable: false),
                    generation = table.Column<long>(type: "INTEGER", nullable: false),
                    system_id = table.Column<string>(type: "TEXT", nullable: false),
                    timeline = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_log_generation", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "outbox",
                columns: table => new
                {
                    id = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    owner = table.Column<Guid>(type: "TEXT", nullable: true),
                    kind = table.Column<int>(type: "INTEGER", nullable: false),
                    payload = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false, defaultValueSql: "strftime('%Y-%m-%d %H:%M:%f', 'now')")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_outbox", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "process",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "TEXT", nullable: false),
                    counter = table.Column<long>(type: "INTEGER", nullable: false),
                    host = table.Column<string>(type: "TEXT", nullable: false),
                    role = table.Column<string>(type: "TEXT", nullable: false),
                    started_at = table.Column<DateTime>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_process", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "stream_head",
                columns: table => new
                {
                    stream = table.Column<string>(type: "TEXT", nullable: false),
                    incarnation = table.Column<long>(type: "INTEGER", nullable: false),
                    head = table.Column<long>(type: "INTEGER", nullable: false),
                    trimmed = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_stream_head", x => x.stream);
                });

            migrationBuilder.CreateIndex(
                name: "IX_agent_run_status",
                table: "agent_run",
                column: "status",
                filter: "status < 2");

            migrationBuilder.CreateIndex(
                name: "IX_event_log_stream_event_id",
                table: "event_log",
                columns: new[] { "stream", "event_id" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_idempotency_expires_at",
                table: "idempotency",
                column: "expires_at");

            migrationBuilder.CreateIndex(
                name: "IX_outbox_owner",
                table: "outbox",
                column: "owner");

            migrationBuilder.Sql("""
                insert into log_generation (id, generation, system_id, timeline)
                values (1, cast((julianday('now') - 2440587.5) * 86400000 as integer), '', '');
                """);

            // Readers and the writer do not wait for each other. The mode stays with the file.
            migrationBuilder.Sql("pragma journal_mode = wal", suppressTransaction: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "agent_run");

            migrationBuilder.DropTable(
                name: "client_ack");

            migrationBuilder.DropTable(
                name: "event_log");

            migrationBuilder.DropTable(
                name: "idempotency");

            migrationBuilder.DropTable(
                name: "log_generation");

            migrationBuilder.DropTable(
                name: "outbox");

            migrationBuilder.DropTable(
                name: "process");

            migrationBuilder.DropTable(
                name: "stream_head");
        }
    }
}
