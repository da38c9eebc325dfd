using System.Threading.Channels;

namespace Pipeline.Messaging;

/// <summary>
/// Publishes the messages of one type, begun in order, a bounded number unconfirmed. Until one was confirmed, and again
/// after one was refused, they go one at a time with long pauses: a refusal costs the whole connection its channel.
/// </summary>
internal sealed class MessageLane : IDisposable
{
    private const int Window = 16;
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly string _type;
    private readonly long _bound;
    private readonly MessageLanes _owner;
    private readonly PublishTerms _terms;
    private readonly PublishTerms _probeTerms;
    private readonly Channel<PendingBatch> _batches = Channel.CreateUnbounded<PendingBatch>(new() { SingleReader = true });
    private readonly SemaphoreSlim _slots = new(Window);
    private readonly SemaphoreSlim _turn = new(1);
    private volatile bool _isOpen;
    private long _bytes;

    /// <param name="bound">Most bytes of batches that wait here; one that is larger is let in alone.</param>
    public MessageLane(string type, long bound, TimeSpan timeout, MessageLanes owner)
    {
        _type = type;
        _bound = bound;
        _owner = owner;
        _terms = new PublishTerms(type, timeout, AsBeacons: false);
        _probeTerms = _terms with { Timeout = timeout < ProbeTimeout ? timeout : ProbeTimeout, LongestPause = LongestPause };
    }

    /// <summary>Whether so much was published that what was refused may come again.</summary>
    public bool HasRoom => Interlocked.Read(ref _bytes) <= _bound / 2;

    /// <summary>Takes a batch in and holds it until its messages are confirmed, or has it owe them.</summary>
    public void Add(PendingBatch batch)
    {
        var cost = batch.Batch.Cost;
        var bytes = Interlocked.Add(ref _bytes, cost);
        if (bytes > _bound && bytes > cost)
        {
            Interlocked.Add(ref _bytes, -cost);
            batch.Owe(_type);
            return;
        }

        batch.Hold();
        _batches.Writer.TryWrite(batch);
    }

    /// <summary>No more batches: <see cref="RunAsync"/> returns when all are confirmed.</summary>
    public void Complete() => _batches.Writer.TryComplete();

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await foreach (var batch in _batches.Reader.ReadAllAsync(cancellationToken))
        {
            var part = new Part(this, batch);
            foreach (var message in _owner.MessagesOf(batch.Batch, _type))
            {
                await _slots.WaitAsync(cancellationToken);
                part.Hold();
                _ = PublishAsync(part, message, cancellationToken);
            }

            part.Done();
        }

        for (var i = 0; i < Window; i++)
        {
            await _slots.WaitAsync(cancellationToken);
        }
    }

    public void Dispose()
    {
        _slots.Dispose();
        _turn.Dispose();
    }

    // Owned by its slot: RunAsync ends when every slot is back, or when the token that ends this too was cancelled.
    private async Task PublishAsync(Part part, object message, CancellationToken cancellationToken)
    {
        try
        {
            Task Publish(CancellationToken token) => _owner.PublishAsync(message, token);
            if (!_isOpen || !await _owner.Publisher.TryAsync(_terms, Publish, cancellationToken))
            {
                _isOpen = false;
                await InTurnAsync(Publish, cancellationToken);
            }

            _owner.Confirmed(_type);
            part.Done();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopped: the outbox row stays, and another process publishes it.
        }
        finally
        {
            _slots.Release();
        }
    }

    private async Task InTurnAsync(Func<CancellationToken, Task> publish, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await _owner.Publisher.UntilConfirmedAsync(_probeTerms, publish, cancellationToken);
            _isOpen = true;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>What one batch has in this lane.</summary>
    private sealed class Part(MessageLane lane, PendingBatch batch)
    {
        private int _holds = 1;

        public void Hold() => Interlocked.Increment(ref _holds);

        public void Done()
        {
            if (Interlocked.Decrement(ref _holds) == 0)
            {
                Interlocked.Add(ref lane._bytes, -batch.Batch.Cost);
                batch.Done();
            }
        }
    }
}
