/** What is different on a terminal: colour, and one line that says how far things are. */

type Stream = { readonly isTTY?: boolean; write(text: string): unknown };
type Environment = Readonly<Record<string, string | undefined>>;

/** https://no-color.org: any value but an empty one says no. */
export function isColored({ isTTY }: Pick<Stream, 'isTTY'>, environment: Environment = process.env): boolean {
	return isTTY === true && (environment['NO_COLOR'] ?? '') === '';
}

export type Progress = {
	/** Puts the words in the place of those before. */
	readonly say: (words: string) => void;
	/** Takes the line away. */
	readonly clear: () => void;
};

/** Progress on a terminal that a person watches; silent when piped and in CI. */
export function progressOn(stream: Stream, environment: Environment = process.env): Progress {
	const silent = stream.isTTY !== true || environment['CI'] !== undefined;
	let shown = false;
	return {
		say: (words) => {
			if (silent) return;
			stream.write(`\r\u001b[2K${words}`);
			shown = true;
		},
		clear: () => {
			if (shown) stream.write('\r\u001b[2K');
			shown = false;
		},
	};
}

/** That of this process. */
export const progress = progressOn(process.stderr);
