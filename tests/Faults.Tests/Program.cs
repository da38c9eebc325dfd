using Pipeline.Faults.Tests;
using Xunit.Runner.InProc.SystemConsole;

// The long run is a program of its own beside the tests, over the same parts.
return args is ["storm", .. var options]
    ? await StormCommand.RunAsync(options)
    : await ConsoleRunner.Run(args);
