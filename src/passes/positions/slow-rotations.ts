/**
 * `prune positions where frequency * 512 < 0.1`: rotary pairs that hardly turn within a length are no longer turned (partial rotation, p-RoPE,
 * arXiv:2410.06205). Written in single operators they are taken out of the product and pass beside the others; else their cosines become one and their sines zero, or
 * their frequencies zero. Lossy.
 */
import { Fault, present } from '../../diagnostic.ts';
import { constantsOf } from '../../ir/graph/constants.ts';
import { elementCount, type Model, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { evaluate, fieldsOf } from '../../ir/recipe/predicate.ts';
import { type Predicate } from '../../ir/recipe/recipe.ts';
import { unknownField } from '../../messages/check.ts';
import { noAnatomy, nothingSelected } from '../../messages/plan.ts';
import { insert } from '../edits.ts';
import { listRefusals } from '../exact/exact.ts';
import { anglesOf, type Angles, type Reading } from './rotary-angles.ts';
import { partialEdits, partialOf, type Partial } from './partial-rotations.ts';
import { sitesInScope } from '../sites.ts';
import { type Lowered, type LowerTask, type Planned, type PlanRequest, saidOf } from '../technique.ts';

/** Pairs that are no longer turned: who reads the frequencies, or the cosines and the sines, and which columns of them. */
export type Stilled = {
	readonly stilled: readonly {
		readonly readings: readonly (readonly Reading[])[];
		readonly columns: readonly number[];
		/** Where the pairs that turn are cut out; else the angles are written anew. */
		readonly partial?: Partial;
	}[];
};

const known = ['frequency', 'index', 'size'];

export function planStilled(request: PlanRequest, where: Predicate): Planned<Stilled> {
	const { step, net, numbering } = request;
	const place = { span: step.spans.where ?? step.span };
	const strange = fieldsOf(where).find((name) => !known.includes(name));
	if (strange !== undefined) throw new Fault(unknownField({ found: strange, known }, place));
	const inScope = sitesInScope(request);
	const { found, refused } = anglesOf(net, ({ node }) => inScope(node));
	if (found.length + refused.length === 0)
		throw new Fault(
			noAnatomy({ target: 'rotations of queries and keys', scoped: step.in.length > 0 }, { span: step.span }),
		);
	const stilled = found.flatMap((angles) => {
		const columns = meeting(angles, where);
		if (columns.length === 0) return [];
		const size = angles.frequencies.length;
		const cut = isUnit(net.model, angles, columns)
			? partialOf(net, angles.rotations, columns, { size, half: size / angles.columns })
			: undefined;
		return [{ readings: angles.readings, columns, pair: angles.columns, ...(cut && { partial: cut }) }];
	});
	const nothing = stilled.length === 0 && found.length > 0;
	const said = { what: 'rotary pair', nearest: `; ${slowest(found)}` };
	return {
		plan: {
			...saidOf(step),
			selected: stilled.reduce((sum, { columns, pair }) => sum + columns.length / pair, 0),
			of: found.reduce((sum, { frequencies, columns }) => sum + frequencies.length / columns, 0),
			unit: `rotary pairs (${meaning(stilled)})`,
			removed: [],
			refused: [
				...(nothing ? [nothingSelected(said, place)] : []),
				...listRefusals(refused, 'rotations', request),
			],
			decision: { stilled: stilled.map(({ pair: _, ...one }) => one) },
		},
		tensors: new Map(),
		numbering,
	};
}

function meaning(stilled: Stilled['stilled']): string {
	const cut = stilled.filter(({ partial }) => partial !== undefined).length;
	if (cut === 0) return 'not turned any more; shapes and time stay';
	return cut === stilled.length
		? 'they pass beside the others'
		: 'some pass beside the others, some turn by nothing';
}

/** Columns of the pairs that meet the condition. */
function meeting({ frequencies, columns, name }: Angles, where: Predicate): number[] {
	const size = frequencies.length / columns;
	return [...frequencies.keys()].filter((at) => {
		const fields = new Map([
			['frequency', frequencies[at] ?? 0],
			['index', at % size],
			['size', size],
		]);
		return evaluate(where, (field) => fields.get(field) ?? NaN, name);
	});
}

function slowest(found: readonly Angles[]): string {
	const all = found.flatMap(({ frequencies }) => [...frequencies]);
	const least = all.reduce((one, other) => Math.min(one, other), Infinity);
	return `the slowest has frequency ${Number(least.toPrecision(3))}`;
}

type Sources = readonly { readonly tensor: Tensor; readonly readings: readonly Reading[] }[];

function sourcesOf(model: Model, readings: readonly (readonly Reading[])[]): Sources {
	const constants = constantsOf(model.graph);
	return readings.map((all) => {
		const { node, slot } = present(all[0], 'a reader of angles');
		const name = nodeOf(model, node).inputs[slot] ?? '';
		return { tensor: present(constants.get(name), name), readings: all };
	});
}

function nodeOf({ graph }: Model, id: number): Node {
	return present(
		graph.nodes.find((node) => node.id === id),
		'a reader of angles',
	);
}

/** Width of what a column is counted in: all numbers of frequencies, a row of a table. */
const widthOf = (sources: Sources, { dims }: Tensor): number =>
	sources.length === 1 ? elementCount(dims) : (dims.at(-1) ?? 1);

/** What stands in the place of an angle: no frequency, no sine, and for a cosine the radius of both. */
function plainValues(sources: Sources): readonly Float64Array[] {
	const [first, second] = sources.map(({ tensor }) => numbersOf(tensor));
	const zeros = new Float64Array(first?.length ?? 0);
	if (first === undefined || second === undefined) return [zeros];
	return [Float64Array.from(first, (cosine, at) => radius(cosine, second[at] ?? 0)), zeros];
}

/** One where it is one but for rounding in half precision; tables can be scaled (YaRN, arXiv:2309.00071). */
function radius(cosine: number, sine: number): number {
	const length = Math.hypot(cosine, sine);
	return Math.abs(length - 1) < 1e-3 ? 1 : length;
}

/** Whether what does not turn stays as it is: no scaled table. */
function isUnit(model: Model, { readings }: Angles, columns: readonly number[]): boolean {
	const sources = sourcesOf(model, readings);
	const [cosines, ...others] = plainValues(sources);
	const width = widthOf(sources, present(sources[0], 'angles').tensor);
	return (
		others.length === 0 ||
		columns.every((column) => cosines?.every((one, at) => at % width !== column || one === 1))
	);
}

/** Nodes with other names for the constants that they read. */
function rereading(model: Model, names: readonly (readonly [Sources[number], ValueName])[]): Edit[] {
	const inputs = new Map<number, ValueName[]>();
	for (const [{ readings }, name] of names)
		for (const { node, slot } of readings) {
			const all = inputs.get(node) ?? [...nodeOf(model, node).inputs];
			all[slot] = name;
			inputs.set(node, all);
		}
	return [...inputs].map(([id, all]): Edit => ({
		kind: 'node',
		node: { ...nodeOf(model, id), inputs: all },
	}));
}

type Choice = Stilled['stilled'][number];

/** Stored angles, which of their numbers do not turn any more, and what stands in their place. */
type Side = {
	readonly source: Sources[number];
	readonly isChosen: (at: number) => boolean;
	readonly plainAt: (at: number) => number;
};

function sidesOf(model: Model, choices: readonly Choice[]): Side[] {
	return choices.flatMap(({ readings, columns }) => {
		const sources = sourcesOf(model, readings);
		const plain = plainValues(sources);
		const chosen = new Set(columns);
		return sources.map((source, side): Side => {
			const width = widthOf(sources, source.tensor);
			return {
				source,
				isChosen: (at) => chosen.has(at % width),
				plainAt: (at) => plain[side]?.[at] ?? 0,
			};
		});
	});
}

/** New constants in which the chosen columns do not turn; of the others with `isWrong`. */
function storedEdits(model: Model, choices: readonly Choice[], isWrong = false): Edit[] {
	const fresh = freshNames(model.graph);
	const read: (readonly [Sources[number], ValueName])[] = [];
	const constants: Edit[] = [];
	for (const { source, isChosen, plainAt } of sidesOf(model, choices)) {
		const { tensor } = source;
		const values = Float64Array.from(numbersOf(tensor), (value, at) =>
			isChosen(at) === isWrong ? value : plainAt(at),
		);
		const name = fresh(`${tensor.name}_still`);
		constants.push({ kind: 'constant', tensor: tensorOf(name, tensor.type, tensor.dims, values) });
		read.push([source, name]);
	}
	return [...constants, ...rereading(model, read)];
}

/** The same while running: angles times a mask of ones and zeros, plus the radius where a cosine was masked. */
function maskedEdits(model: Model, choices: readonly Choice[]): Edit[] {
	const fresh = freshNames(model.graph);
	const read: (readonly [Sources[number], ValueName])[] = [];
	const made: Edit[] = [];
	for (const { source, isChosen, plainAt } of sidesOf(model, choices)) {
		const { tensor } = source;
		const [mask, product, rest, sum] = ['mask', 'masked', 'rest', 'sum'].map((word) =>
			fresh(`${tensor.name}_${word}`),
		) as [string, string, string, string];
		const masks = Array.from({ length: elementCount(tensor.dims) }, (_, at) => (isChosen(at) ? 0 : 1));
		const rests = masks.map((kept, at) => (1 - kept) * plainAt(at));
		made.push(
			{ kind: 'constant', tensor: tensorOf(mask, tensor.type, tensor.dims, masks) },
			{ kind: 'constant', tensor: tensorOf(rest, tensor.type, tensor.dims, rests) },
			insert('Mul', [tensor.name, mask], product),
			insert('Add', [product, rest], sum),
		);
		read.push([source, sum]);
	}
	return [...made, ...rereading(model, read)];
}

/** Reference: the angles masked while running. Controls: the pairs that should turn still, the others turning; the model before. */
export function lowerStilled({ net, decision, label }: LowerTask<Stilled>): Lowered {
	const { model } = net;
	const { stilled } = decision;
	const made = (given: readonly Edit[], what: string): Model =>
		applyPatch(model, { label: what, edits: given });
	const fresh = freshNames(model.graph);
	const edits = [
		...storedEdits(
			model,
			stilled.filter(({ partial }) => partial === undefined),
		),
		...stilled.flatMap(({ partial }) => (partial === undefined ? [] : partialEdits(net, partial, fresh))),
	];
	return {
		patch: { label, edits },
		claims: [
			{
				says: 'angles times a mask of their pairs',
				reference: made(maskedEdits(model, stilled), 'reference'),
				controls: [() => made(storedEdits(model, stilled, true), 'the other pairs'), () => model],
			},
		],
	};
}
