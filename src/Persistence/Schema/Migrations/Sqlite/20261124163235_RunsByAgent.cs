using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Pipeline.Persistence.Schema.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class RunsByAgent : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_outbox_owner",
                table: "outbox");

            migrationBuilder.DropIndex(
                name: "IX_agent_run_status",
                table: "agent_run");

            migrationBuilder.AddColumn<string>(
                name: "agents",
                table: "process",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "has_relay",
                table: "process",
                type: "INTEGER",
                nullable: false,
                defaultValue: true);

            migrationBuilder.AddColumn<int>(
                name: "lease_milliseconds",
                table: "process",
                type: "INTEGER",
                nullable: false,
                defaultValue: 4000);

            migrationBuilder.AddColumn<bool>(
                name: "can_resume",
                table: "agent_run",
                type: "INTEGER",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<long>(
                name: "first_position",
                table: "agent_run",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.CreateIndex(
                name: "IX_outbox_owner_id",
                table: "outbox",
                columns: new[] { "owner", "id" });

            migrationBuilder.CreateIndex(
                name: "IX_agent_run_requested_at_run",
                table: "agent_run",
                columns: new[] { "requested_at", "run" },
                filter: "status = 0");

            migrationBuilder.CreateIndex(
                name: "IX_agent_run_worker",
                table: "agent_run",
                column: "worker",
                filter: "status = 1");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_outbox_owner_id",
                table: "outbox");

            migrationBuilder.DropIndex(
                name: "IX_agent_run_requested_at_run",
                table: "agent_run");

            migrationBuilder.DropIndex(
                name: "IX_agent_run_worker",
                table: "agent_run");

            migrationBuilder.DropColumn(
                name: "agents",
                table: "process");

            migrationBuilder.DropColumn(
                name: "has_relay",
                table: "process");

            migrationBuilder.DropColumn(
                name: "lease_milliseconds",
                table: "process");

            migrationBuilder.DropColumn(
                name: "can_resume",
                table: "agent_run");

            migrationBuilder.DropColumn(
                name: "first_position",
                table: "agent_run");

            migrationBuilder.CreateIndex(
                name: "IX_outbox_owner",
                table: "outbox",
                column: "owner");

            migrationBuilder.CreateIndex(
                name: "IX_agent_run_status",
                table: "agent_run",
                column: "status",
                filter: "status < 2");
        }
    }
}
