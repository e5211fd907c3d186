/** Every command: what it is called, what it takes, and the file that does it, loaded when it is called. */
import { type Declared } from './flags.ts';

const text = (value: string | string[] | undefined): string | undefined =>
	Array.isArray(value) ? value[0] : value;
const texts = (value: string | string[] | undefined): string[] =>
	Array.isArray(value) ? value : value === undefined ? [] : [value];

const building = ['expression', 'param', 'shape', 'data', 'numbers', 'cache', 'locked'] as const;

const changing: readonly Declared[] = [
	{
		usage: 'build <recipe> [model]',
		about: 'Compile a recipe on a model, prove the result and write it.',
		flags: [...building, 'verify', 'bench', 'keepGoing', 'dump', 'report', 'out', 'force', 'format', 'json'],
		examples: [
			'build recipe.prune model.onnx -o small.onnx',
			"build -e 'prune ffn 50%' model.onnx -o half.onnx --shape x=1x8x32",
		],
		run: async ([recipe, model], flags) =>
			(await import('./build.ts')).build(text(recipe), text(model), flags),
	},
	{
		usage: 'plan <recipe> [model]',
		about: 'Say what would go, and why the rest stays; changes nothing.',
		flags: [...building, 'dump', 'planOut', 'force', 'format', 'json'],
		examples: [
			'plan recipe.prune model.onnx -o plan.json',
			"plan -e 'prune heads 50%' model.onnx --dump patch",
		],
		run: async ([recipe, model], flags) =>
			(await import('./build.ts')).plan(text(recipe), text(model), flags),
	},
	{
		usage: 'apply <plan> <model>',
		about: 'Carry out exactly that plan: no scoring, the same bytes on every machine.',
		flags: ['data', 'numbers', 'verify', 'bench', 'out', 'force', 'json'],
		examples: [
			'apply plan.json model.onnx -o applied.onnx',
			'apply plan.json model.onnx -o applied.onnx --force --no-verify',
		],
		run: async ([plan, model], flags) => (await import('./build.ts')).apply(text(plan), text(model), flags),
	},
	{
		usage: 'split <model>',
		about:
			'Split a model with exits into one file a stage, so that a server lets each row of a batch leave by itself.',
		flags: ['shape', 'numbers', 'out', 'force', 'json'],
		examples: ['split early.onnx -o stages', 'split early.onnx -o stages --force --samples 2'],
		run: async ([model], flags) => (await import('./split.ts')).split(text(model) ?? '', flags),
	},
];

const measuring: readonly Declared[] = [
	{
		usage: 'verify <original> <pruned>',
		about: 'Prove again what a build proved; without a plan, measure how far two models are apart.',
		flags: ['plan', 'shape', 'data', 'numbers', 'json'],
		examples: ['verify model.onnx small.onnx --plan plan.json', 'verify model.onnx small.onnx --samples 4'],
		run: async ([original, pruned], flags) =>
			(await import('./measure.ts')).verify(text(original) ?? '', text(pruned) ?? '', flags),
	},
	{
		usage: 'evaluate <models...>',
		about: 'Measure how good models are on data, side by side.',
		flags: ['evaluated', 'metric', 'dictionary', 'taken', 'shape', 'evaluating', 'onlyJson'],
		examples: [
			'evaluate model.onnx small.onnx --data test.npy',
			'evaluate model.onnx small.onnx --data test.npy --metric cosine,overlap --take 8',
		],
		run: async ([models], flags) => (await import('./evaluate.ts')).evaluate(texts(models), flags),
	},
	{
		usage: 'pareto <recipe> [model]',
		about:
			'Sweep parameters of a recipe: what is left and how good it is at each point; a stopped sweep goes on.',
		flags: [
			...(['expression', 'sweep', 'shape', 'data', 'numbers', 'workers'] as const),
			...(['jobs', 'collect', 'curveOut', 'json'] as const),
		],
		examples: [
			"pareto -e 'param part = 25%; prune ffn $part' model.onnx -p part=25%,50%",
			"pareto -e 'param part = 25%; prune ffn $part' model.onnx -p part=20%:80%:20% -o curve --jobs",
		],
		run: async ([recipe, model], flags) =>
			(await import('./pareto.ts')).pareto(text(recipe), text(model), flags),
	},
	{
		usage: 'bench <models...>',
		about: 'Time models side by side, in turns, with the spread.',
		flags: ['timed', 'taken', 'shape', 'times', 'json'],
		examples: ['bench model.onnx small.onnx', 'bench model.onnx small.onnx --data test.npy --take 4'],
		run: async ([models], flags) => (await import('./measure.ts')).bench(texts(models), flags),
	},
];

const reading: readonly Declared[] = [
	{
		usage: 'check [recipes...]',
		about: 'Read and check recipes; with a model, bind them to it as well.',
		flags: ['expression', 'param', 'model', 'shape', 'data', 'locked', 'format', 'json'],
		examples: ['check recipe.prune', "check -e 'prune heads 25%' --model model.onnx"],
		run: async ([recipes], flags) => (await import('./check.ts')).check(texts(recipes), flags),
	},
	{
		usage: 'inspect <model>',
		about: 'Show layers, heads, feed-forward blocks, and what blocks what.',
		flags: ['scores', 'data', 'numbers', 'cache', 'report', 'force', 'shape', 'onlyJson'],
		examples: ['inspect model.onnx --shape x=1x8x32 --json', 'inspect model.onnx --scores l2'],
		run: async ([model], flags) =>
			flags.scores === undefined
				? (await import('./read.ts')).inspect(text(model) ?? '', flags)
				: (await import('./scores.ts')).scores(text(model) ?? '', flags.scores, flags),
	},
	{
		usage: 'fmt <recipes...>',
		about: 'Write recipes in canonical form.',
		flags: ['canonical'],
		examples: ['fmt recipe.prune', 'fmt --check recipe.prune'],
		run: async ([recipes], flags) => (await import('./check.ts')).format(texts(recipes), flags),
	},
	{
		usage: 'convert [recipe]',
		about: 'Write a recipe in another spelling.',
		flags: ['expression', 'to', 'param'],
		examples: ['convert recipe.prune --to yaml', 'convert recipe.prune --to json'],
		run: async ([recipe], flags) => (await import('./respell.ts')).convert(text(recipe), flags),
	},
	{
		usage: 'expand [recipe]',
		about: 'Put parameters in place, a statement for each target; with a model, list what goes.',
		flags: ['expression', 'param', 'model', 'shape', 'data', 'numbers'],
		examples: ['expand recipe.prune', 'expand recipe.prune --model model.onnx'],
		run: async ([recipe], flags) => (await import('./respell.ts')).expand(text(recipe), flags),
	},
	{
		usage: 'lsp',
		about: 'Serve editors over standard input and output, in the language server protocol.',
		flags: ['stdio'],
		examples: ['lsp', 'lsp --stdio'],
		run: async () => (await import('./lsp.ts')).lsp(),
	},
	{
		usage: 'explain <code>',
		about: 'Print the page of a diagnostic.',
		flags: ['onlyJson'],
		examples: ['explain check/unknown-target', 'explain write/exists --json'],
		run: async ([code], flags) => (await import('./read.ts')).explain(text(code) ?? '', flags),
	},
	{
		usage: 'list <what>',
		about: 'List techniques, metrics, ops or codes.',
		flags: ['onlyJson'],
		examples: ['list techniques', 'list ops --json'],
		run: async ([what], flags) => (await import('./read.ts')).list(text(what) ?? '', flags),
	},
];

const starting: readonly Declared[] = [
	{
		usage: 'init <model>',
		about: 'Write a starter recipe: the statements that apply to a model, with what each saves.',
		flags: ['shape', 'recipeOut', 'force'],
		examples: ['init model.onnx', 'init model.onnx -o starter.prune'],
		run: async ([model], flags) => (await import('./init.ts')).init(text(model) ?? '', flags),
	},
	{
		usage: 'completion <shell>',
		about: 'Print what bash, zsh or fish needs to complete commands, flags and values.',
		flags: [],
		examples: ['completion bash', 'completion fish'],
		run: async ([shell], flags) => (await import('./completion.ts')).completion(text(shell) ?? '', flags),
	},
];

const sharing: readonly Declared[] = [
	{
		usage: 'add [imports...]',
		about: 'Fetch and lock what the recipes here import, or the named imports.',
		flags: ['locked', 'allow', 'json'],
		examples: ['add', 'add --locked'],
		run: async ([imports], flags) => (await import('./share.ts')).add(texts(imports), flags),
	},
	{
		usage: 'update [packages...]',
		about: 'Lock imports anew, all or the named ones, and drop those that no recipe uses.',
		flags: ['allow', 'json'],
		examples: ['update', 'update npm:@acme/recipes'],
		run: async ([packages], flags) => (await import('./share.ts')).update(texts(packages), flags),
	},
	{
		usage: 'test [folder]',
		about: 'Run the tests of a repository of recipes.',
		flags: ['onlyJson'],
		examples: ['test', 'test . --json'],
		run: async ([folder], flags) => (await import('./project.ts')).test(text(folder) ?? '.', flags),
	},
	{
		usage: 'index [folder]',
		about: 'Write index.json and the table in README.md of a repository of recipes.',
		flags: ['canonical'],
		examples: ['index', 'index --check'],
		run: async ([folder], flags) => (await import('./project.ts')).index(text(folder) ?? '.', flags),
	},
];

export const commands: readonly Declared[] = [...changing, ...measuring, ...reading, ...sharing, ...starting];
