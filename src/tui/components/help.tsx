/** The help overlay: the keys of the view it is over, and what the words there mean, a line each so that all fit on 24 rows. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { paint, useLook } from '../look.js';
import type { Look } from '../look.js';
import type { HelpTopic } from '../state/help-topic.js';

type Line = readonly [string, string];
type Lines = readonly Line[];

interface TopicHelp {
  readonly keys: Lines;
  readonly words: Lines;
}

const MESH: Line = ['mesh', 'chips along axes: data=64,model=16 is 64 × 16 chips'];
const MFU: Line = ['MFU', "the model's own FLOPs per second, over the chips' peak"];
const EXPOSED: Line = ['exposed', 'communication chips wait for; hidden goes on behind compute'];
const DIFFERENCE: Line = ['difference', 'measured minus predicted'];
const ERROR: Line = ['error', 'of a prediction: −8 % is 8 % too little'];
const RUNS: Line = ['Ctrl-R', 'the runs that are over, and their errors'];
const BACK: Line = ['Esc', 'back'];
const QUIT: Line = ['q, Ctrl-C', 'quit; Ctrl-C does not ask; Ctrl-L repaints, Ctrl-Z suspends'];
const PAGES = 'also PgUp PgDn Home End';

const helpOf = ({ glyphs: { upDown, leftRight } }: Look): Readonly<Record<HelpTopic, TopicHelp>> => ({
  pick: {
    keys: [
      ['Tab', 'next field, Shift-Tab the one before'],
      ['letters', 'find a name, v22 for vit-22b, or a word of the description'],
      [upDown, `choose, or double and halve; ${PAGES}`],
      ['Enter', 'search for the fastest plans'],
      ['Esc', 'all choices again'],
      RUNS,
      ['Ctrl-C', 'quit; so does q where it begins no name'],
    ],
    words: [
      ['model', 'a preset, a job file from this folder, or a path you type'],
      ['hardware', 'a shipped profile, one from this folder, or a path you type'],
      ['chips', 'what has its own memory and links: a GPU, a TPU, a core'],
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
  dimensions: {
    keys: [
      [upDown, `choose a dimension; ${PAGES}`],
      [leftRight, 'fix it to the value before or after; the search goes on'],
      ['Enter', 'fix it to what the plan looked at has, or free it'],
      ['x', 'free all'],
      ['f', 'full search: pipelines, every slice, all values; or usual'],
      ['d, Esc', 'back to the table'],
      QUIT,
    ],
    words: [
      MESH,
      ['free', 'the search chooses, among what is at the right'],
      ['= 4', 'it is that in all plans of the search'],
      ['in this plan', 'what it is in the plan that is looked at in the table'],
    ],
  },
  'one plan': {
    keys: [[upDown, `scroll; ${PAGES}`], ['Esc, Enter', 'back to the table'], QUIT],
    words: [
      MFU,
      EXPOSED,
      ['overhead', 'launches of kernels, and what else chips wait for'],
      ['no shorter', 'the step if arithmetic, memory or links ran at peak rate'],
    ],
  },
  'two plans': {
    keys: [[upDown, `scroll; ${PAGES}`], ['Esc, Enter', 'back to the table, where nothing is marked any more'], QUIT],
    words: [['difference', 'the second plan less the first; nothing where alike'], MFU, EXPOSED],
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
  runs: {
    keys: [
      [upDown, `choose a run; ${PAGES}`],
      ['Enter', 'open it'],
      ['c', "correct this machine's profile by the runs kept of it"],
      ['v', 'what the last calibration moved'],
      BACK,
      QUIT,
    ],
    words: [
      ['predicted', 'when the run began, by the profile of then'],
      ERROR,
      ['after', 'by the profile as it was calibrated now'],
    ],
  },
  'one run': {
    keys: [
      [upDown, `choose; ${PAGES}`],
      ['Enter', 'the kernels of a kind of work, where it has some'],
      ['Tab', 'by kind of work, phase, collective, rank'],
      BACK,
      QUIT,
    ],
    words: [
      ERROR,
      [DIFFERENCE[0], `${DIFFERENCE[1]}; bars begin where the last ended`],
      ['between spans', 'of the step, what no kernel and no collective covers'],
      ['within', 'between what 8 of 10 runs were expected to take'],
    ],
  },
  kernels: {
    keys: [[upDown, `scroll; ${PAGES}`], BACK, QUIT],
    words: [['runs', 'how often a step has it: layers, microbatches'], DIFFERENCE],
  },
  calibration: {
    keys: [[upDown, `scroll; ${PAGES}`], BACK, QUIT],
    words: [
      ['before, after', 'errors by the profile as it was, and as fitted now'],
      ERROR,
      ['checked', 'kept back from the fit, so that its error is a prediction'],
      ['left out', 'predicted by a fit to the others, for the same reason'],
      ['new over old', 'time for the same work; 8 of 10 fits lie between'],
    ],
  },
});

function HelpLines({ lines, bold }: { readonly lines: Lines; readonly bold: boolean }): ReactNode {
  const look = useLook();
  return lines.map(([name, about]) => (
    <Box key={name} columnGap={1}>
      <Box width={14} flexShrink={0}>
        <Text bold={bold} {...paint(look, 'accent')}>
          {name}
        </Text>
      </Box>
      <Text>{about}</Text>
    </Box>
  ));
}

export function Help({ topic, width }: { readonly topic: HelpTopic; readonly width: number }): ReactNode {
  const look = useLook();
  const { keys, words } = helpOf(look)[topic];
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
