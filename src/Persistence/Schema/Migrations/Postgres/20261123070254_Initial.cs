using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace Pipeline.Persistence.Schema.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.EnsureSchema(
                name: "pipeline");

            migrationBuilder.CreateTable(
                name: "agent_run",
                schema: "pipeline",
                columns: table => new
                {
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    run = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    thread = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    agent = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    status = table.Column<int>(type: "integer", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    lease_counter = table.Column<long>(type: "bigint", nullable: false),
                    lease_seconds = table.Column<int>(type: "integer", nullable: true),
                    worker = table.Column<Guid>(type: "uuid", nullable: true),
                    last_sequence = table.Column<long>(type: "bigint", nullable: false),
                    cancel_requested = table.Column<bool>(type: "boolean", nullable: false),
                    input = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    requested_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    started_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    ended_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_agent_run", x => new { x.stream, x.run });
                });

            migrationBuilder.CreateTable(
                name: "client_ack",
                schema: "pipeline",
                columns: table => new
                {
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    client = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    epoch = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    position = table.Column<long>(type: "bigint", nullable: false),
                    updated_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_client_ack", x => new { x.stream, x.client });
                });

            migrationBuilder.CreateTable(
                name: "event_log",
                schema: "pipeline",
                columns: table => new
                {
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    position = table.Column<long>(type: "bigint", nullable: false),
                    event_id = table.Column<Guid>(type: "uuid", nullable: false),
                    type = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    thread = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    run = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    sequence = table.Column<long>(type: "bigint", nullable: false),
                    occurred_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    stored_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()"),
                    hash = table.Column<byte[]>(type: "bytea", nullable: false),
                    body = table.Column<string>(type: "json", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_event_log", x => new { x.stream, x.position });
                });

            migrationBuilder.CreateTable(
                name: "idempotency",
                schema: "pipeline",
                columns: table => new
                {
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    body_hash = table.Column<byte[]>(type: "bytea", nullable: false),
                    result = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    expires_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_idempotency", x => new { x.stream, x.key });
                });

            migrationBuilder.CreateTable(
                name: "log_generation",
                schema: "pipeline",
                columns: table => new
                {
                    id = table.Column<int>(type: "integer", nullable: false),
                    generation = table.Column<long>(type: "bigint", nullable: false),
                    system_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    timeline = table.Column<string>(type: "text", nullable: false, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_log_generation", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "outbox",
                schema: "pipeline",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    owner = table.Column<Guid>(type: "uuid", nullable: true),
                    kind = table.Column<int>(type: "integer", nullable: false),
                    payload = table.Column<string>(type: "json", nullable: false),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false, defaultValueSql: "clock_timestamp()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_outbox", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "process",
                schema: "pipeline",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    counter = table.Column<long>(type: "bigint", nullable: false),
                    host = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    role = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    started_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_process", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "stream_head",
                schema: "pipeline",
                columns: table => new
                {
                    stream = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    incarnation = table.Column<long>(type: "bigint", nullable: false, defaultValue: 1L),
                    head = table.Column<long>(type: "bigint", nullable: false, defaultValue: 0L),
                    trimmed = table.Column<long>(type: "bigint", nullable: false, defaultValue: 0L)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_stream_head", x => x.stream);
                });

            migrationBuilder.CreateIndex(
                name: "IX_agent_run_status",
                schema: "pipeline",
                table: "agent_run",
                column: "status",
                filter: "status < 2");

            migrationBuilder.CreateIndex(
                name: "IX_event_log_stream_event_id",
                schema: "pipeline",
                table: "event_log",
                columns: new[] { "stream", "event_id" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_idempotency_expires_at",
                schema: "pipeline",
                table: "idempotency",
                column: "expires_at");

            migrationBuilder.CreateIndex(
                name: "IX_outbox_owner",
                schema: "pipeline",
                table: "outbox",
                column: "owner");

            // A head and a run change with every append: room on the page keeps those updates off the indexes (HOT), and
            // vacuum has to come long before its defaults would send it.
            migrationBuilder.Sql("""
                alter table pipeline.stream_head set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
                  autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
                alter table pipeline.agent_run set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01,
                  autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
                alter table pipeline.outbox set (autovacuum_vacuum_scale_factor = 0,
                  autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
                insert into pipeline.log_generation (id, generation, system_id, timeline)
                values (1, (extract(epoch from clock_timestamp()) * 1000)::bigint, '', '');
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "agent_run",
                schema: "pipeline");

            migrationBuilder.DropTable(
                name: "client_ack",
                schema: "pipeline");

            migrationBuilder.DropTable(
                name: "event_log",
                schema: "pipeline");

            migrationBuilder.DropTable(
                name: "idempotency",
                schema: "pipeline");

            migrationBuilder.DropTable(
                name: "log_generation",
                schema: "pipeline");

            migrationBuilder.DropTable(
                name: "outbox",
                schema: "pipeline");

            migrationBuilder.DropTable(
                name: "process",
                schema: "pipeline");

            migrationBuilder.DropTable(
                name: "stream_head",
                schema: "pipeline");
        }
    }
}
