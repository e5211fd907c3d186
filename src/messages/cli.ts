/** Messages of the command line. */
import { defineDiagnostic } from '../diagnostic.ts';

export const usage = defineDiagnostic({
	code: 'cli/usage',
	severity: 'error',
	explain:
		'The command was called with arguments that it does not take. `prunec <command> --help` lists them.',
	message: ({ problem }: { problem: string; near?: string | undefined }) => problem,
	hint: ({ near }) => (near === undefined ? 'prunec --help' : `${near} is the nearest spelling`),
});
export const unreadable = defineDiagnostic({
	code: 'cli/unreadable',
	severity: 'error',
	explain: 'A file named on the command line cannot be read.',
	message: ({ path, cause }: { path: string; cause: string }) => `cannot read '${path}': ${cause}`,
});
export const noSuchCode = defineDiagnostic({
	code: 'cli/no-such-code',
	severity: 'error',
	explain: 'Every diagnostic has a code, `<stage>/<words>`; `prunec list codes` prints them all.',
	message: ({ code }: { code: string; near: string | undefined }) => `there is no diagnostic '${code}'`,
	hint: ({ near }) => (near === undefined ? 'prunec list codes' : `${near} is the nearest spelling`),
});
export const interrupted = defineDiagnostic({
	code: 'cli/interrupted',
	severity: 'error',
	explain:
		'The command was interrupted (Ctrl-C, or a signal that asks it to end). Nothing of its result is left.',
	message: () => 'interrupted; nothing was written',
});
export const internal = defineDiagnostic({
	code: 'cli/bug',
	severity: 'error',
	explain: 'A mistake of prunec itself, never of its user. Nothing was written.',
	message: ({ problem, version }: { problem: string; version: string }) =>
		`this is a bug in prunec ${version}: ${problem}`,
	hint: () => 'please report it with the recipe, the command, and `prunec inspect --json` of the model',
});
