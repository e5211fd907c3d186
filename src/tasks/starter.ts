/** A starter recipe for one model: every statement that applies to it, with what it saves there. */
import { basename, dirname, resolve } from 'node:path';
import { type Place } from '../backends/onnx/layout.ts';
import { type Loaded } from '../backends/onnx/load.ts';
import { checkText } from '../recipe-text/check-text.ts';
import { Fault, present } from '../diagnostic.ts';
import { findAnatomy, type Anatomy } from '../ir/anatomy/anatomy.ts';
import { type Block } from '../ir/anatomy/parts.ts';
import { buildNet } from '../ir/axes/net.ts';
import { costOf, type Cost } from '../ir/cost.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { type Model } from '../ir/graph/graph.ts';
import { traitsOf } from '../ir/requirements.ts';
import { formatRecipe } from '../parser/print.ts';
import { runRecipe } from '../passes/run.ts';
import { count } from '../report/tables.ts';

/** A statement that may apply, and what is tried to find out whether it does. */
type Offer = {
	readonly statement: string;
	/** The same removal, without scores or data; the statement itself unless given. */
	readonly trial?: string;
	readonly about: string;
};

/** Nothing that the model computes changes. */
const exact: readonly Offer[] = [
	{ statement: 'prune norms', about: 'normalizations fold into the weights beside them' },
	{ statement: 'prune bias', about: 'biases that no output sees' },
	{ statement: 'prune softmax', about: 'the scale of attention scores folds into the queries' },
	{ statement: 'prune channels', about: 'feature maps that are the same whatever the input' },
	{ statement: 'fuse qkv', about: 'one product for queries, keys and values' },
	{ statement: 'fuse gates', about: 'one product for the gate and up projections' },
	{ statement: 'fuse linears', about: 'chains of projections become one' },
	{ statement: 'share', about: 'equal tensors once' },
];
const lossy: readonly Offer[] = [
	{ ...drawn('prune heads 25%'), about: "the least important quarter of each layer's heads" },
	{ ...drawn('prune ffn 25%'), about: 'a quarter of the neurons of each feed-forward block' },
	{ ...drawn('prune channels 25%'), about: 'a quarter of the feature maps, with everything that reads them' },
	{ ...drawn('prune units 25%'), about: 'a quarter of the hidden units of recurrent layers' },
];
const others: readonly Offer[] = [
	{
		...drawn('prune layers lowest 1'),
		about: 'the layer that changes its input least; needs calibration data',
	},
	{ ...drawn('prune hidden 25%'), about: 'a quarter of the residual width, in every layer at once' },
];

/** Ranked by a draw: as many go as by any metric, and no weight is read for it. */
function drawn(statement: string): Pick<Offer, 'statement' | 'trial'> {
	return { statement, trial: `${statement} by random` };
}

type Tried = { readonly model: Model; readonly selected: number; readonly cost: Cost };

/** Writes the recipe. `name` is what the file of it is called in the examples of its head. */
export async function starterRecipe(loaded: Loaded, shapes: Shapes, name: string): Promise<string> {
	const { model, file } = loaded;
	const facts = inferFacts(model, shapes);
	const anatomy = findAnatomy(buildNet(model, facts));
	const starting = new Starting(model, shapes, costOf(model, facts));
	const active = await starting.lines([...exact, ...lossy]);
	const beside = [...(await starting.alternatives(others)), ...factorings(anatomy, starting.before)];
	const saved = starting.savingOf(starting.now);
	const text = [
		...headOf(file, model, anatomy, starting.before, name),
		'',
		...dataOf(model, facts),
		'',
		...(active.length === 0 ? ['# No statement changes this model.'] : [statementsHead, ...active]),
		...(saved === '' ? [] : [`# All of these together: ${saved}.`]),
		...(beside.length === 0
			? []
			: ['', '# Also possible here; what each saves of the whole model:', ...beside]),
		...(starting.refused.length === 0 ? [] : ['', '# Not here:', ...starting.refused]),
		'',
		'# A promise of the result: nothing is written when it does not hold.',
		'# expect cosine >= 0.98',
	].join('\n');
	return formatRecipe(`${text}\n`).text;
}

const statementsHead =
	'# Statements run from top to bottom. Behind each: what it saves, on this model, of what the lines above it left.';

class Starting {
	readonly before: Cost;
	/** Statements that do nothing on this model, a line each, with the reason. */
	readonly refused: string[] = [];
	now: Cost;
	private readonly given: Model;
	private model: Model;
	private readonly shapes: Shapes;

	constructor(model: Model, shapes: Shapes, before: Cost) {
		this.given = model;
		this.model = model;
		this.shapes = shapes;
		this.before = before;
		this.now = before;
	}

	/** Statements that do something where those before them have been carried out. */
	async lines(offers: readonly Offer[]): Promise<string[]> {
		const lines: string[] = [];
		for (const offer of offers) {
			const tried = await this.attempt(offer, this.model);
			if (tried === undefined) continue;
			const saved = saving(this.now, tried.cost);
			lines.push(`${offer.statement}  # ${[offer.about, saved].filter(Boolean).join('; ')}`);
			[this.model, this.now] = [tried.model, tried.cost];
		}
		return lines;
	}

	/** Statements that do something to the model as it was given, as comments. */
	async alternatives(offers: readonly Offer[]): Promise<string[]> {
		const lines: string[] = [];
		for (const offer of offers) {
			const tried = await this.attempt(offer, this.given);
			const saved = tried && saving(this.before, tried.cost);
			if (saved !== undefined)
				lines.push(`# ${offer.statement}  # ${[offer.about, saved].filter(Boolean).join('; ')}`);
		}
		return lines;
	}

	savingOf(cost: Cost): string {
		return saving(this.before, cost);
	}

	private async attempt({ statement, trial = statement }: Offer, model: Model): Promise<Tried | undefined> {
		const recipe = present(checkText(trial).recipe, `the meaning of '${trial}'`);
		try {
			let cost = this.now;
			const options = { shapes: this.shapes, seed: 0 };
			const { model: after, steps } = await runRecipe(recipe, model, {
				...options,
				onStep: (done) => {
					[, cost] = done.costs();
					return Promise.resolve();
				},
			});
			const [step] = steps;
			if (step !== undefined && step.selected > 0) return { model: after, selected: step.selected, cost };
			const why = step?.refused[0]?.message;
			this.refused.push(`#   ${statement}: ${why ?? 'there is nothing to do'}`);
		} catch (problem) {
			if (!(problem instanceof Fault)) throw problem;
			this.refused.push(`#   ${statement}: ${problem.diagnostics[0]?.message ?? ''}`);
		}
		return undefined;
	}
}

/** What a change of costs saves: `saves 12.5% of the parameters`, or adds; nothing where it does neither. */
function saving(before: Cost, after: Cost): string {
	const part = (was: number, change: number, what: string): string[] => {
		const share = was === 0 ? 0 : (100 * change) / was;
		return share < 0.05 ? [] : [`${Number(share.toFixed(1))}% of the ${what}`];
	};
	const parts = (sign: 1 | -1): string =>
		[
			...part(before.params, sign * (before.params - after.params), 'parameters'),
			...part(before.macs, sign * (before.macs - after.macs), 'multiply-adds'),
		].join(', ');
	const [saved, added] = [parts(1), parts(-1)];
	return [saved === '' ? '' : `saves ${saved}`, added === '' ? '' : `adds ${added}`]
		.filter(Boolean)
		.join('; ');
}

/** Two factors of rank r hold r·(m + n) numbers in place of m·n: counted, not computed. */
function factorings({ layers }: Anatomy, { params }: Cost): string[] {
	const blocks = layers.flatMap((layer) => layer.blocks);
	return (['ffn', 'attention'] as const).flatMap((kind) => {
		const sizes = blocks.filter((block) => block.kind === kind).flatMap(matricesOf);
		const smallest = Math.min(...sizes.map(([rows, columns]) => Math.min(rows, columns)));
		const rank = Math.max(4, Math.floor(smallest / 4 / 4) * 4);
		const saved = sizes.reduce(
			(sum, [rows, columns]) => sum + Math.max(0, rows * columns - rank * (rows + columns)),
			0,
		);
		if (sizes.length === 0 || saved === 0) return [];
		const share = Number(((100 * saved) / params).toFixed(1));
		return [`# factorize ${kind} rank ${rank}  # each matrix becomes two; saves ${share}% of the parameters`];
	});
}

function matricesOf({ linears }: Block): (readonly [number, number])[] {
	return linears.map(({ weight: { sizes } }) => [sizes[0] ?? 0, sizes[1] ?? 0] as const);
}

function headOf(
	place: Place,
	model: Model,
	anatomy: Anatomy,
	{ params, macs }: Cost,
	name: string,
): string[] {
	const { families, properties } = traitsOf(model, anatomy);
	const given = namedBy(place);
	const result = place.folder === undefined ? 'small.onnx' : 'small/';
	const { layers, heads } = properties;
	const shape = layers === 0 ? '' : `, ${layers} layers${heads === 0 ? '' : ` with up to ${heads} heads`}`;
	const family = families.transformer
		? `require transformer with layers >= ${layers}`
		: families.convolutional
			? 'require convolutional'
			: families.recurrent
				? 'require recurrent'
				: undefined;
	return [
		`# A starter recipe for ${given}: ${count(params)} parameters, ${count(macs)} multiply-adds${shape}.`,
		'# It is right as it stands. Take out what is too much, take the # off what is missing, and look:',
		'#',
		`#     prunec plan ${name} ${given}`,
		`#     prunec build ${name} ${given} -o ${result}`,
		'',
		`recipe ${recipeName(place)}-lite`,
		...(family === undefined ? [] : [family]),
	];
}

/** What one names the model by: its folder, its file, and a usual name of a file together with where it lies. */
function namedBy({ path, folder }: Place): string {
	if (folder !== undefined) return folder;
	return basename(path) === 'model.onnx' && dirname(path) !== '.' ? path : basename(path);
}

/** A name that a recipe can have, made of the model's file, or of the folder where that is called as all are. */
function recipeName({ path, folder = dirname(path) }: Place): string {
	const stem = basename(path).replace(/\.onnx$/i, '');
	const inside = basename(folder) === 'onnx' ? dirname(folder) : folder;
	const own = stem === 'model' ? basename(resolve(inside)) : stem;
	const words = own.split(/[^A-Za-z0-9_]+/).filter(Boolean);
	const name = words.join('-');
	return /^[A-Za-z_]/.test(name) ? name : `model${name === '' ? '' : `-${name}`}`;
}

function dataOf({ graph }: Model, facts: ReturnType<typeof inferFacts>): string[] {
	const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
	const dynamic = inputs.filter(({ dims }) => dims?.some((dim) => typeof dim !== 'number'));
	const sized = dynamic.slice(0, 3).flatMap(({ name }) => {
		const sizes = facts.of(name)?.sizes;
		const written = /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
		return sizes === undefined || sizes.length === 0 ? [] : [`# input ${written} ${sizes.join('x')}`];
	});
	return [
		'# With data of yours units are ranked by what they do, and what reads the removed ones is refitted:',
		'# calibrate with "calib.jsonl" take 128',
		...(sized.length === 0
			? []
			: ['# Sizes of dynamic inputs, for costs, times and generated inputs:', ...sized]),
	];
}
