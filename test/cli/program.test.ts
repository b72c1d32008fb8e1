/** `simulate --program` as a person runs it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from './in-process.js';
import { createFolder, removeFolder } from './support.js';

const RINGS =
  '--model vit-22b --hardware tpu-v4 --chips 1024 --batch 65536 --mesh data=64,model=16 --microbatches 32 --linears ring';
const PALM = '--model palm-540b --hardware tpu-v4 --batch 4096 --microbatches 1';
const TWELVE_PODS = `${PALM} --chips 49152 --mesh data=4096,model=12`;

let folder: string;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => removeFolder(folder));

describe('the program that each chip runs', () => {
  it('is printed instead of the simulation, whole or one op of it', async () => {
    const whole = await cli(`simulate ${RINGS} --program`, folder);
    const layer = await cli(`simulate ${RINGS} --program-op encoder`, folder);
    expect(whole.stdout).toMatch(/^program mesh\(data=64,model=16\)\n {2}%/);
    expect(layer.stdout).toMatch(/ = repeat 48 {2}# encoder\n/);
    // It lies in the loop over microbatches.
    expect(whole.stdout).toContain(layer.stdout.replace(/^(?=.)/gm, ' '.repeat(4)));
  });

  it('is printed for more chips than can be simulated', async () => {
    const [simulated, printed] = await Promise.all([
      cli(`simulate ${TWELVE_PODS}`, folder),
      cli(`simulate ${TWELVE_PODS} --program`, folder),
    ]);
    expect(simulated.stderr).toContain('up to 8 slices of at most 16×16×16');
    expect(printed).toMatchObject({ status: 0, stderr: '' });
  });

  it('has no op of an unknown id: the nearest is named', async () => {
    const { status, stderr } = await cli(`simulate ${RINGS} --program-op encodr`, folder);
    expect(status).toBe(2);
    expect(stderr).toContain('USAGE at --program-op');
    expect(stderr).toContain('did you mean encoder?');
  });
});
