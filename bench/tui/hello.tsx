/** The least that Ink can do: what the UI's first paint is measured against, bundled the same way. */
import { render, Text } from 'ink';

render(<Text>hello</Text>);
