/** The help overlay: the keys of the screen it is over, and what the words there mean, a line each so that all fit on 24 rows. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';
import type { Look } from '../look.js';
import type { Screen } from '../state/types.js';

type Lines = readonly (readonly [string, string])[];

interface ScreenHelp {
  readonly keys: Lines;
  readonly words: Lines;
}

const MESH = ['mesh', 'chips laid out along axes: data=64,model=16 is 64 × 16 chips'] as const;
const MFU = ['MFU', "the model's own FLOPs per second, over the chips' peak"] as const;
const EXPOSED = ['exposed', 'communication chips wait for; hidden goes on behind compute'] as const;
const RUNS = ['Ctrl-R', 'the runs that are over, and their errors'] as const;
const QUIT = ['q, Ctrl-C', 'quit; Ctrl-C does not ask'] as const;

const helpOf = ({ glyphs: { upDown, leftRight } }: Look): Readonly<Record<Screen['at'], ScreenHelp>> => ({
  pick: {
    keys: [
      ['Tab', 'next field, Shift-Tab the one before'],
      ['letters', 'find a name: v22 finds vit-22b; words of the description too'],
      [upDown, 'choose, or double and halve; also PgUp PgDn Home End'],
      ['Enter', 'search for the fastest plans'],
      ['Esc', 'all choices again'],
      RUNS,
      QUIT,
    ],
    words: [
      ['model', 'a preset, a job file from this folder, or a path you type'],
      ['hardware', 'a shipped profile, one from this folder, or a path you type'],
      ['chips', 'what has its own memory and links: a GPU, a TPU chip, a core here'],
      ['batch', 'examples of a training step, over all chips'],
    ],
  },
  plans: {
    keys: [
      [upDown, 'look at a plan; Enter explains it in sentences'],
      ['s, S', 'sort by the next column; the other way round'],
      ['/', 'filter: words that a plan is to have'],
      ['d', 'dimensions: fix or free what the search may choose'],
      ['f', 'full search: pipelines, every slice, all values; or usual'],
      ['c', 'mark a plan; on another one, compare both'],
      [`+ - ${leftRight}`, 'look at a part of the step'],
      ['w, t', 'write the plan as a job file; train it on this machine'],
    ],
    words: [
      MESH,
      ['mb', 'microbatches: parts of a step that follow each other'],
      ['zero1, bidir', 'shard=optimizer, linears=bidirectional; zero3: parameters'],
      MFU,
      EXPOSED,
      ['at most', 'MFU if arithmetic, memory or links ran at peak rate'],
      ['# -', 'not among the fastest; none faster needs as little memory'],
    ],
  },
  train: {
    keys: [
      ['p', 'pause after the step in flight; go on'],
      ['k', 'write a checkpoint now, also while it is paused'],
      ['s', 'stop the run; what was measured until then is compared'],
      ['Enter', 'after a run, compare it with its prediction'],
      ['Esc', 'back; asks first where that stops a run'],
      QUIT,
    ],
    words: [
      MFU,
      ['8 of 10', 'steps are expected in the band around the predicted line'],
      EXPOSED,
      ['input stall', 'time a step waited for its input'],
      ['wait', 'a rank has nothing of its own to do'],
    ],
  },
  compare: {
    keys: [
      [upDown, 'choose, scroll; also PgUp PgDn Home End'],
      ['Enter', 'open a run; then the kernels of a kind of work'],
      ['Tab', 'by kind of work, phase, collective, rank'],
      ['c', "correct this machine's profile by the runs kept of it"],
      ['v', 'what the last calibration moved'],
      ['Esc', 'back'],
      QUIT,
    ],
    words: [
      ['error', 'predicted over measured: −8 % where 8 % too little was predicted'],
      ['difference', 'measured minus predicted; each bar begins where the last ended'],
      ['between spans', 'of the step, what no kernel and no collective covers'],
      ['checked', 'kept back from the fit, so that its error is a prediction'],
    ],
  },
});

function HelpLines({ lines, bold }: { readonly lines: Lines; readonly bold: boolean }): ReactNode {
  const look = useLook();
  return lines.map(([name, about]) => (
    <Box key={name} columnGap={2}>
      <Box width={12} flexShrink={0}>
        <Text bold={bold} {...paint(look, 'accent')}>
          {name}
        </Text>
      </Box>
      <Text>{about}</Text>
    </Box>
  ));
}

export function Help({ at, width }: { readonly at: Screen['at']; readonly width: number }): ReactNode {
  const look = useLook();
  const { keys, words } = helpOf(look)[at];
  return (
    <Box
      flexDirection="column"
      width={Math.min(width, 100)}
      borderStyle={look.glyphs.border}
      paddingX={1}
      flexShrink={0}
    >
      <Text bold>Keys</Text>
      <HelpLines lines={keys} bold />
      <Text> </Text>
      <Text bold>Words</Text>
      <HelpLines lines={words} bold={false} />
    </Box>
  );
}
