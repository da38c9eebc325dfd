using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Pipeline.Persistence.Schema.Migrations.Postgres
{
    /// <inheritdoc />
    public partial class EventsById : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_event_log_stream_event_id",
                schema: "pipeline",
                table: "event_log");

            migrationBuilder.CreateIndex(
                name: "IX_event_log_event_id_stream",
                schema: "pipeline",
                table: "event_log",
                columns: new[] { "event_id", "stream" },
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_event_log_event_id_stream",
                schema: "pipeline",
                table: "event_log");

            migrationBuilder.CreateIndex(
                name: "IX_event_log_stream_event_id",
                schema: "pipeline",
                table: "event_log",
                columns: new[] { "stream", "event_id" },
                unique: true);
        }
    }
}
