/** The flags of all commands, a help line each, and how a command is declared: what `--help` shows is what it takes. */
import { Command } from 'commander';
import { type Flags, type Status } from './shared.ts';

type Line = { readonly flags: readonly (readonly [flag: string, repeats?: true])[]; readonly text: string };

/** One entry a line of help; flags that are seldom needed share one. */
const lines = {
	expression: { flags: [['-e, --expression <text>']], text: 'the recipe itself, in place of a file' },
	param: { flags: [['-p, --param <name=value>', true]], text: 'a parameter of the recipe' },
	shape: { flags: [['--shape <input=1x128>', true]], text: 'sizes for dynamic dimensions' },
	data: {
		flags: [['--data <path>']],
		text: 'calibration data: a file or a folder (docs/data.md)',
	},
	numbers: {
		flags: [['--seed <n>'], ['--threads <n>'], ['--samples <n>']],
		text: 'of draws (0), of onnxruntime (2), of inputs to prove on (8)',
	},
	evaluated: { flags: [['--data <path>']], text: 'labelled data, or any to compare with the first model on' },
	metric: { flags: [['--metric <names>']], text: 'accuracy,f1,perplexity, … (docs/data.md)' },
	dictionary: { flags: [['--dictionary <file>']], text: 'the letters of a text recognizer, one a line' },
	taken: { flags: [['--take <n>'], ['--tokens <n>']], text: 'only so many examples, and tokens of a text' },
	evaluating: {
		flags: [['--seed <n>'], ['--threads <n>']],
		text: 'draws what --take takes; of onnxruntime (2)',
	},
	times: { flags: [['--threads <n>'], ['--samples <n>']], text: 'of onnxruntime (2), of runs (15)' },
	timed: {
		flags: [['--data <path>']],
		text: 'on data: mean, p95, agreement, and where models with exits leave',
	},
	cache: { flags: [['--no-cache']], text: 'measure statistics anew, and keep none' },
	verify: { flags: [['--no-verify']], text: 'skip proof and drift; the report says so' },
	bench: { flags: [['--bench']], text: 'time both models' },
	keepGoing: { flags: [['--keep-going']], text: 'write although an expectation failed, or it is slower' },
	dump: { flags: [['--dump <stage>']], text: 'print syntax, recipe, graph or patch instead of the report' },
	report: { flags: [['--report <out.html>']], text: 'a page with pictures of what went and what it did' },
	scores: {
		flags: [['--scores [metric]']],
		text: 'what statements would rank: by l1, wanda, ablation, … or the usual one',
	},
	sweep: {
		flags: [['-p, --param <name=values>', true]],
		text: 'values of a parameter by comma, or first:last:step; several: all combinations',
	},
	workers: { flags: [['--workers <n>']], text: 'points at a time, each in a process of its own (1)' },
	jobs: { flags: [['--jobs']], text: 'print a command a point, for a cluster; measure nothing' },
	collect: { flags: [['--collect']], text: 'draw what was measured; measure nothing' },
	curveOut: {
		flags: [['-o, --out <folder>']],
		text: 'points, curve.json and index.html; without it points are in the cache',
	},
	out: { flags: [['-o, --out <path>']], text: 'the result: a file, or a folder for a model that is one' },
	planOut: { flags: [['-o, --out <plan.json>']], text: 'write every decision there' },
	recipeOut: { flags: [['-o, --out <recipe.prune>']], text: 'write it there, in place of printing it' },
	force: { flags: [['--force']], text: 'replace what exists' },
	plan: { flags: [['--plan <plan.json>']], text: 'the plan of the build: prove its steps again' },
	model: { flags: [['--model <model>']], text: 'bind the recipes to this model as well' },
	canonical: {
		flags: [['--check'], ['--diff']],
		text: 'change nothing, or show what would change; status 1 when a file would',
	},
	locked: { flags: [['--locked']], text: 'fail when prune.lock would change' },
	allow: {
		flags: [['--allow-file'], ['--allow-host <host>', true]],
		text: 'fetch from git+file:, from a private host',
	},
	stdio: { flags: [['--stdio']], text: 'the way it speaks anyway; for editors that name it' },
	to: { flags: [['--to <spelling>']], text: 'prune, yaml or json' },
	format: { flags: [['--format <format>']], text: 'problems as human, github or sarif' },
	json: { flags: [['--json'], ['-q, --quiet']], text: 'one JSON document; nothing but problems' },
	onlyJson: { flags: [['--json']], text: 'one JSON document' },
} as const satisfies Record<string, Line>;

export type Declared = {
	/** Name and arguments, as commander takes them. */
	readonly usage: string;
	/** One sentence. */
	readonly about: string;
	readonly flags: readonly (keyof typeof lines)[];
	/** Two command lines that run as they stand, without the program's name. */
	readonly examples: readonly [string, string];
	/** Arguments come in the order of `usage`; an optional one may be undefined, a repeated one is a list. */
	readonly run: (args: readonly (string | string[] | undefined)[], flags: Flags) => Promise<Status> | Status;
};

const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];

/** A flag as shells complete it: its names, whether a value follows, and what it is. */
export type Spelt = { readonly names: readonly string[]; readonly takes: boolean; readonly about: string };

/** The flags of a command, each with its own names. */
export function flagsOf({ flags }: Declared): readonly Spelt[] {
	return flags.flatMap((key): Spelt[] => {
		const line: Line = lines[key];
		return line.flags.map(([flag]) => ({
			names: flag.replace(/ [<[].*/, '').split(', '),
			takes: flag.includes('<'),
			about: line.text,
		}));
	});
}

/** A command as declared; `act` runs it. */
export function commandOf(
	declared: Declared,
	act: (flags: Flags, run: () => Promise<Status> | Status) => Promise<void>,
): Command {
	const [name = '', ...args] = declared.usage.split(' ');
	const command = new Command(name).description(declared.about);
	for (const argument of args) command.argument(argument);
	for (const key of declared.flags) {
		const { flags }: Line = lines[key];
		for (const [flag, repeats] of flags) {
			if (repeats) command.option(flag, '', collect);
			else command.option(flag);
		}
	}
	command.action((...given: unknown[]) => {
		const values = given.slice(0, args.length) as (string | string[] | undefined)[];
		const flags = command.opts<Flags>();
		return act(flags, () => declared.run(values, flags));
	});
	return command.configureHelp({ formatHelp: () => helpOf(declared) });
}

function helpOf({ usage, about, flags, examples }: Declared): string {
	const rows = [...flags.map((key): Line => lines[key]), { flags: [['-h, --help'] as const], text: 'this' }];
	const terms = rows.map(({ flags: all }) => all.map(([flag]) => flag).join(', '));
	const width = Math.max(...terms.filter((term) => term.length <= 26).map((term) => term.length));
	return [
		about,
		`Usage: prunec ${usage} [options]`,
		'',
		...rows.map(({ text }, at) => `  ${(terms[at] ?? '').padEnd(width)}  ${text}`),
		'',
		'Examples:',
		...examples.map((example) => `  prunec ${example}`),
		'',
	].join('\n');
}
