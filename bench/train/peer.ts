/** The race partner: the same model in PyTorch's DistributedDataParallel, a script that may lie beside this repository. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface PeerBlock {
  readonly seconds: number;
  readonly losses: readonly number[];
}

export interface Peer {
  /** Of a 1024³ product on one thread. */
  readonly matmulFlops: number;
  /** Median step of one run of `steps`. `dump` also writes its start there. */
  block(ranks: number, batch: number, steps: number, dump?: string): PeerBlock;
}

const PRODUCT = `
import os, time
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
import torch
torch.set_num_threads(1)
a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
def once():
    start = time.perf_counter()
    a @ b
    return time.perf_counter() - start
print(2 * 1024**3 / sorted(once() for _ in range(5))[2])
`;

const python = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string =>
  execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  });

/** What the script printed on this line: `NAME=VALUE`. */
const field = (text: string, name: string): number => Number(new RegExp(`${name}=([\\d.]+)`).exec(text)![1]);

/** @returns nothing where the script or PyTorch is absent */
export function findPeer(script: string): Peer | undefined {
  if (!existsSync(script)) return undefined;
  // A distribution's PyTorch lies with its own Python, which may not come first on the path.
  for (const command of ['python3', '/usr/bin/python3']) {
    let matmulFlops: number;
    try {
      matmulFlops = Number(python(command, ['-c', PRODUCT]));
    } catch {
      continue;
    }
    return {
      matmulFlops,
      block(ranks, batch, steps, dump) {
        const env = { B: String(batch), STEPS: String(steps), ...(dump === undefined ? {} : { DUMP: dump }) };
        const text = python(command, [script, String(ranks)], env);
        const losses = /^losses (.*)$/m.exec(text)![1]!.split(' ').map(Number);
        return { seconds: field(text, 'step') / 1e3, losses };
      },
    };
  }
  return undefined;
}
