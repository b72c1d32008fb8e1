/** The UI: one state, the screen it says, and what is around it. */
import { Box, Text, useApp } from 'ink';
import type { ReactNode } from 'react';
import { useCallback, useEffect, useReducer } from 'react';
import { ErrorBox } from './components/error-box.js';
import { Frame } from './components/frame.js';
import { Help } from './components/help.js';
import { useAnswers } from './hooks/use-answers.js';
import { useCoalesced } from './hooks/use-coalesced.js';
import { usePresses } from './hooks/use-presses.js';
import { useTerminalSize } from './hooks/use-terminal-size.js';
import type { Wishes } from './hooks/use-work.js';
import { NO_WISHES, useWork } from './hooks/use-work.js';
import type { Look } from './look.js';
import { LookProvider, useLook } from './look.js';
import { CompareScreen } from './screens/compare.js';
import { PickScreen } from './screens/pick.js';
import { PlansScreen } from './screens/plans.js';
import { TrainScreen } from './screens/train.js';
import type { Services, TaskChoice } from './services.js';
import { initialApp, reduce } from './state/app.js';
import { helpTopic } from './state/help-topic.js';
import { hints } from './state/hints.js';
import { plainName } from './state/labels.js';
import type { Size } from './state/layout.js';
import { bodyColumns, isTooSmall, SMALLEST } from './state/layout.js';
import { wantedLook } from './state/plans.js';
import { isKey } from './state/press.js';
import type { Answer, AppState, News } from './state/types.js';
import { FRAME_MILLISECONDS } from './terminal.js';

function Body({ state, size }: { readonly state: AppState; readonly size: Size }): ReactNode {
  const { screen } = state;
  if (state.failure !== undefined) return <ErrorBox error={state.failure} width={bodyColumns(size)} />;
  if (state.help) return <Help topic={helpTopic(screen)} width={bodyColumns(size)} />;
  switch (screen.at) {
    case 'pick':
      return <PickScreen state={state.pick} size={size} />;
    case 'plans':
      return <PlansScreen state={screen.plans} size={size} />;
    case 'train':
      return <TrainScreen state={screen.train} size={size} />;
    case 'compare':
      return <CompareScreen state={screen.compare} size={size} />;
  }
}

/** From here on the program's name fits beside the task. */
const NAMED_COLUMNS = 100;

function subject({ screen }: AppState, size: Size): string {
  if (screen.at === 'pick' || screen.at === 'compare') return 'Meshwright';
  const { model, hardware, chips, batch } = screen.plans.task;
  const name = size.columns < NAMED_COLUMNS ? '' : 'Meshwright: ';
  return `${name}${plainName(model)} on ${chips} × ${plainName(hardware)}, batch ${batch}`;
}

/** The state as seen: nothing in here but layout. */
export function View({ state, size }: { readonly state: AppState; readonly size: Size }): ReactNode {
  const { glyphs } = useLook();
  if (isTooSmall(size)) {
    const [needed, here] = [SMALLEST, size].map(({ columns, rows }) => `${columns}×${rows}`);
    return (
      <Box width={size.columns} height={size.rows} overflow="hidden">
        <Text>
          Meshwright needs a terminal of {needed}; this one is {here}. Enlarge it, or press Ctrl-C to quit.
        </Text>
      </Box>
    );
  }
  return (
    <Frame
      size={size}
      at={state.screen.at}
      subject={subject(state, size)}
      notice={state.notice}
      hints={hints(state, glyphs)}
    >
      <Body state={state} size={size} />
    </Frame>
  );
}

const wishes = ({ screen }: AppState): Wishes =>
  screen.at === 'train' ? { stopping: screen.train.status === 'stopping', asked: screen.train.asked } : NO_WISHES;

export interface AppProps {
  readonly services: Services;
  readonly look: Look;
  readonly initial?: Partial<TaskChoice> | undefined;
  /** Instead of the terminal's own. */
  readonly size?: Size;
  /** Paints the screen anew, whatever has been written over it. */
  readonly redraw?: () => void;
  /** Gives the terminal back and stops the program until the shell lets it go on. */
  readonly suspend?: () => void;
}

export function App(props: AppProps): ReactNode {
  const { services, initial } = props;
  const { exit } = useApp();
  const size = useTerminalSize(props.size);
  const [state, dispatch] = useReducer(reduce, undefined, () => initialApp(services, initial));
  const deliver = useCallback((news: readonly News[]) => dispatch({ type: 'news', news }), []);
  const tell = useCoalesced(deliver, FRAME_MILLISECONDS);
  useWork(services, state.work, wishes(state), tell);
  useWork(services, state.reading, NO_WISHES, tell);
  useWork(services, state.calibrating, NO_WISHES, tell);
  const answer = useCallback((given: Answer) => dispatch({ type: 'answer', answer: given }), []);
  const look = state.screen.at === 'plans' ? wantedLook(state.screen.plans) : undefined;
  useAnswers(services, { look, toWrite: state.toWrite }, answer);
  usePresses((press) => {
    if (isKey(press, 'redraw')) props.redraw?.();
    else if (isKey(press, 'suspend')) props.suspend?.();
    else dispatch({ type: 'press', press, size });
  });
  useEffect(() => {
    if (state.quit) exit();
  }, [state.quit, exit]);
  return (
    <LookProvider value={props.look}>
      <View state={state} size={size} />
    </LookProvider>
  );
}
