using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Pipeline.Persistence.Schema.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class RunsByAgent : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_outbox_owner",
                schema: "pipeline",
                table: "outbox");

            migrationBuilder.DropIndex(
                name: "IX_agent_run_status",
                schema: "pipeline",
                table: "agent_run");

            migrationBuilder.AddColumn<string[]>(
                name: "agents",
                schema: "pipeline",
                table: "process",
                type: "text[]",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "has_relay",
                schema: "pipeline",
                table: "process",
                type: "boolean",
                nullable: false,
                defaultValue: true);

            migrationBuilder.AddColumn<int>(
                name: "lease_milliseconds",
                schema: "pipeline",
                table: "process",
                type: "integer",
                nullable: false,
                defaultValue: 4000);

            migrationBuilder.AddColumn<bool>(
                name: "can_resume",
                schema: "pipeline",
                table: "agent_run",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<long>(
                name: "first_position",
                schema: "pipeline",
                table: "agent_run",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.CreateIndex(
                name: "IX_outbox_owner_id",
                schema: "pipeline",
                table: "outbox",
                columns: new[] { "owner", "id" });

            migrationBuilder.CreateIndex(
                name: "IX_agent_run_requested_at_run",
                schema: "pipeline",
                table: "agent_run",
                columns: new[] { "requested_at", "run" },
                filter: "status = 0");

            migrationBuilder.CreateIndex(
                name: "IX_agent_run_worker",
                schema: "pipeline",
                table: "agent_run",
                column: "worker",
                filter: "status = 1");

            // Uncompressed: a page of events can be bounded by what is stored, and nothing is packed on append and
            // unpacked for every reader.
            migrationBuilder.Sql("alter table pipeline.event_log alter column body set storage external");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_outbox_owner_id",
                schema: "pipeline",
                table: "outbox");

            migrationBuilder.DropIndex(
                name: "IX_agent_run_requested_at_run",
                schema: "pipeline",
                table: "agent_run");

            migrationBuilder.DropIndex(
                name: "IX_agent_run_worker",
                schema: "pipeline",
                table: "agent_run");

            migrationBuilder.DropColumn(
                name: "agents",
                schema: "pipeline",
                table: "process");

            migrationBuilder.DropColumn(
                name: "has_relay",
                schema: "pipeline",
                table: "process");

            migrationBuilder.DropColumn(
                name: "lease_milliseconds",
                schema: "pipeline",
                table: "process");

            migrationBuilder.DropColumn(
                name: "can_resume",
                schema: "pipeline",
                table: "agent_run");

            migrationBuilder.DropColumn(
                name: "first_position",
                schema: "pipeline",
                table: "agent_run");

            migrationBuilder.CreateIndex(
                name: "IX_outbox_owner",
                schema: "pipeline",
                table: "outbox",
                column: "owner");

            migrationBuilder.CreateIndex(
                name: "IX_agent_run_status",
                schema: "pipeline",
                table: "agent_run",
                column: "status",
                filter: "status < 2");
        }
    }
}
