//! An echo server whose frames live in a pool, and clients that check every byte that comes back.
//!
//! The server reads each frame into a block of its size, with no buffer in between, and hands it to the writing task as
//! `Bytes`, with no copy; the block is released on the thread that has written it.
//!
//! ```console
//! $ cargo run --release --example echo --features bytes
//! ```

use std::io::{self, Error, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes};
use fastrand::Rng;
use mem_pool::{PoolBytes, VariadicPool, VariadicStats};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

const CLIENTS: u64 = 8;
const FRAMES_EACH: usize = 5_000;
/// Bytes of a frame before its body: the body's length.
const HEADER: usize = 4;
const LONGEST: usize = 16 * 1024;
/// Frames of a connection that wait to be written; beyond that its client has to wait.
const QUEUE: usize = 64;

/// The frames of all connections.
static FRAMES: VariadicPool = VariadicPool::builder()
    .grow_size(256 * 1024)
    .limit(64 << 20)
    .build();

/// Echoes the frames of so many connections, then ends.
async fn serve(listener: TcpListener, connections: u64) -> io::Result<()> {
    let mut echoes = JoinSet::new();
    for _ in 0..connections {
        let (stream, _) = listener.accept().await?;
        echoes.spawn(echo(stream));
    }
    echoes.join_all().await.into_iter().collect()
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let (mut from, to) = stream.into_split();
    let (queue, frames) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(write(frames, to));
    while let Some(frame) = read_frame(&mut from).await? {
        if queue.send(Bytes::from(frame)).await.is_err() {
            break; // the writer has failed, and will say why
        }
    }
    drop(queue);
    writer.await?
}

async fn write(mut frames: mpsc::Receiver<Bytes>, mut to: OwnedWriteHalf) -> io::Result<()> {
    while let Some(mut frame) = frames.recv().await {
        to.write_all_buf(&mut frame).await?;
    }
    to.shutdown().await
}

/// The next frame with its header, in a block of its own; none if the client is done.
async fn read_frame(from: &mut OwnedReadHalf) -> io::Result<Option<PoolBytes>> {
    let length = match from.read_u32().await {
        Ok(length) => length as usize,
        Err(end) if end.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > LONGEST {
        let why = format!("a frame of {length} bytes");
        return Err(Error::new(ErrorKind::InvalidData, why));
    }
    let frame = FRAMES.try_alloc_with_capacity(HEADER + length);
    let mut frame = frame.map_err(Error::other)?;
    frame.put_u32(length as u32);
    let mut body = from.take(length as u64);
    while frame.len() < HEADER + length {
        if body.read_buf(&mut frame).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(frame))
}

/// The bodies a client sends: of all lengths, short ones mostly, and of the same bytes whoever asks.
fn bodies(client: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut rng = Rng::with_seed(client);
    std::iter::repeat_with(move || {
        let most = LONGEST >> rng.u8(..10);
        let mut body = vec![0; rng.usize(..=most)];
        rng.fill(&mut body);
        body
    })
    .take(FRAMES_EACH)
}

/// Sends all frames and meanwhile compares what comes back, byte for byte; says how many bytes that were.
async fn check(server: SocketAddr, client: u64) -> io::Result<usize> {
    let (mut from, mut to) = TcpStream::connect(server).await?.into_split();
    let sender = tokio::spawn(async move {
        for body in bodies(client) {
            to.write_u32(body.len() as u32).await?;
            to.write_all(&body).await?;
        }
        to.shutdown().await
    });
    let mut checked = 0;
    for (number, body) in bodies(client).enumerate() {
        let length = from.read_u32().await? as usize;
        assert_eq!(
            length,
            body.len(),
            "length of frame {number} of client {client}"
        );
        let mut echoed = vec![0; length];
        from.read_exact(&mut echoed).await?;
        assert!(
            echoed == body,
            "frame {number} of client {client} has changed"
        );
        checked += HEADER + length;
    }
    assert_eq!(
        from.read(&mut [0]).await?,
        0,
        "nothing follows the last frame"
    );
    sender.await??;
    Ok(checked)
}

/// Looks at the pool now and then; keeps what it was at its fullest.
async fn watch(fullest: &mut VariadicStats) {
    let mut ticks = interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
        let now = FRAMES.stats();
        if now.live_bytes > fullest.live_bytes {
            *fullest = now;
        }
    }
}

async fn run() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let start = Instant::now();
    let server = tokio::spawn(serve(listener, CLIENTS));
    let mut clients: JoinSet<_> = (0..CLIENTS).map(|client| check(address, client)).collect();
    let (mut fullest, mut checked) = (FRAMES.stats(), 0);
    let all = async {
        while let Some(bytes) = clients.join_next().await {
            checked += bytes??;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        done = all => done?,
        () = watch(&mut fullest) => {}
    }
    server.await??;
    report(start.elapsed(), checked, &fullest);
    Ok(())
}

fn report(took: Duration, checked: usize, fullest: &VariadicStats) {
    let (frames, mib) = (CLIENTS as usize * FRAMES_EACH, checked as f64 / 1_048_576.0);
    let seconds = took.as_secs_f64();
    println!(
        "{frames} frames of {CLIENTS} clients, {mib:.1} MiB, came back as they were sent, in {seconds:.2} s: {:.0} frames and {:.0} MiB a second",
        frames as f64 / seconds,
        mib / seconds,
    );
    print("at its fullest", fullest);
    print("at the end", &FRAMES.stats());
    println!("shrunk: {} bytes given back", FRAMES.shrink_to_fit());
    assert_eq!((FRAMES.live_blocks(), FRAMES.reserved_bytes()), (0, 0));
}

fn print(when: &str, stats: &VariadicStats) {
    println!(
        "pool {when:14}: {} frames of {} bytes in {} chunks of {} KiB in all; {:.0} % fragmented",
        stats.live_blocks,
        stats.live_bytes,
        stats.chunks,
        stats.reserved_bytes / 1024,
        stats.fragmentation() * 100.0,
    );
}

#[tokio::main]
async fn main() -> io::Result<()> {
    timeout(Duration::from_secs(60), run()).await?
}
