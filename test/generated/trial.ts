/** One random removal on one generated model: is what is left equal to the reference, in onnxruntime? */
import { openSession, type Feeds, type Value } from '../../src/backends/ort/session.ts';
import { Fault } from '../../src/diagnostic.ts';
import { cutOf, verifyCut, type Chosen } from '../../src/ir/axes/cut.ts';
import { findFamilies, type Family } from '../../src/ir/axes/families.ts';
import { buildNet, type Net } from '../../src/ir/axes/net.ts';
import { type Role } from '../../src/ir/axes/row.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';
import { closed } from '../../src/ir/graph/close.ts';
import { elementCount, type Model } from '../../src/ir/graph/graph.ts';
import { opened } from '../../src/ir/graph/open.ts';
import { applyPatch } from '../../src/ir/graph/patch.ts';
import { verifyModel } from '../../src/ir/graph/verify.ts';
import { decideCut, lowerCut } from '../../src/passes/units/cut.ts';
import { Limits } from '../../src/passes/scores/limits.ts';
import { Draw, type Exactness } from './kit.ts';
import { buildModel, type Recipe } from './recipe.ts';

export type Verdict =
	/** Nothing of the model can go. */
	| { readonly is: 'whole' }
	/** The engine says that it cannot do it. */
	| { readonly is: 'refused'; readonly why: string }
	/** `shown`: one more unit would have been seen; undefined where nobody asked. */
	| { readonly is: 'equal'; readonly shown?: boolean }
	| { readonly is: 'wrong'; readonly why: string };

/** What float32 rounding may do to an output, relative to its largest value. */
const rounding = 1e-5;

/** Norms, sums of competitors and who chooses may be passed: their reference works on what is kept. */
const permits: readonly ReadonlySet<Role>[] = [
	new Set(),
	new Set<Role>(['statistic']),
	new Set<Role>(['statistic', 'competing']),
	new Set<Role>(['statistic', 'competing', 'routed']),
];

/** The share of trials whose negative control is run: a run of its own each time. */
const controlled = 0.25;

/** Builds the recipe's model, removes units at random, and compares; then perhaps removes once more from what is left. */
export async function tryRecipe(recipe: Recipe): Promise<Verdict> {
	const draw = new Draw(recipe.seed ^ 0x5eed);
	const model = buildModel(recipe);
	const problems = verifyModel(model);
	if (problems.length > 0) return { is: 'wrong', why: `not a model: ${problems[0]?.message ?? ''}` };
	const { verdict, after } = await tryModel(opened(model), recipe.exactness, draw);
	if (after === undefined || verdict.is !== 'equal' || !draw.chance(0.25)) return verdict;
	const again = await tryModel(after, recipe.exactness, draw);
	return again.verdict.is === 'wrong'
		? { is: 'wrong', why: `the second time: ${again.verdict.why}` }
		: verdict;
}

type Tried = { readonly verdict: Verdict; readonly after?: Model };

async function tryModel(model: Model, exactness: Exactness, draw: Draw): Promise<Tried> {
	const net = buildNet(model, inferFacts(model));
	const chosen = choose(net, draw);
	if (chosen.length === 0) return { verdict: { is: 'whole' } };
	const broken = verifyCut(net, cutOf(chosen));
	if (broken.length > 0) return { verdict: { is: 'wrong', why: broken[0] ?? '' } };
	try {
		const { patch, claims } = lowerCut({
			net,
			decision: decideCut(chosen, spare(chosen)),
			tensors: new Map(),
			label: 'removal',
		});
		const after = applyPatch(model, patch);
		const [problem] = verifyModel(closed(after));
		if (problem !== undefined) return { verdict: { is: 'wrong', why: problem.message } };
		const [claim] = claims;
		const control = draw.chance(controlled) ? claim?.controls[0]?.() : undefined;
		const models = { reference: claim?.reference ?? model, after, ...(control && { control }) };
		return { verdict: await compare(models, feedsOf(net, exactness, draw), exactness), after };
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		const [first] = problem.diagnostics;
		const why = first?.message ?? '';
		return { verdict: { is: first?.code === 'run/session-failed' ? 'wrong' : 'refused', why } };
	}
}

/** Up to three families and some units of each, so that no axis is left empty. */
function choose(net: Net, draw: Draw): Chosen[] {
	const roles = draw.pick(permits);
	const families = findFamilies(net, { roles }).filter(({ units }) => units > 1);
	const chosen: Chosen[] = [];
	for (let left = draw.from(1, 3); left > 0 && families.length > 0; left--) {
		const [family] = families.splice(draw.below(families.length), 1) as [Family];
		const more = [...chosen, { family, units: someOf(family, draw) }];
		if (!isEmptied(more)) chosen.splice(0, chosen.length, ...more);
	}
	return chosen.filter(({ units }) => units.size > 0);
}

function someOf(family: Family, draw: Draw): Set<number> {
	const limits = new Limits(family);
	const units = new Set<number>();
	for (let left = draw.from(1, family.units - 1); left > 0; left--) {
		const unit = draw.below(family.units);
		if (units.size < family.units - 1 && !units.has(unit) && limits.take(unit)) units.add(unit);
	}
	return units;
}

const isEmptied = (chosen: readonly Chosen[]): boolean =>
	[...cutOf(chosen).dead.values()].some((axes) => axes.some((set) => set?.every(Boolean)));

/** A unit more of the first family. */
function spare([first]: readonly Chosen[]): Chosen[] {
	if (first === undefined) return [];
	const { family, units } = first;
	const more = Array.from({ length: family.units }, (_, at) => at).find((at) => !units.has(at));
	return [{ family, units: new Set(more === undefined ? [] : [more]) }];
}

/** Values at one of the two sizes that the net was told from. */
function feedsOf(net: Net, exactness: Exactness, draw: Draw): Feeds {
	const shapes = draw.pick(net.facts.shapes);
	return new Map(
		net.model.graph.inputs.map(({ name, type }) => {
			const dims = shapes.get(name) ?? [];
			const value = (): number => (exactness === 'exact' ? draw.from(-3, 3) : draw.real());
			return [name, { type, dims, data: Float32Array.from({ length: elementCount(dims) }, value) }];
		}),
	);
}

type Models = { readonly reference: Model; readonly after: Model; readonly control?: Model };

async function compare({ reference, control, after }: Models, feeds: Feeds, of: Exactness): Promise<Verdict> {
	const expected = await run(reference, 'reference', feeds);
	const found = await run(after, 'pruned', feeds);
	const wrong = differing(expected, found, of);
	if (wrong !== undefined && of === 'float') {
		const room = new Map(await ownRounding(reference, feeds, expected));
		const still = differing(expected, found, of, room);
		if (still !== undefined) return { is: 'wrong', why: still };
	} else if (wrong !== undefined) return { is: 'wrong', why: wrong };
	if (control === undefined) return { is: 'equal' };
	const moved = await run(control, 'control', feeds);
	const shown = [...expected].some(([name, value]) => differs(value, moved.get(name), of) !== undefined);
	return { is: 'equal', shown };
}

function differing(
	expected: ReadonlyMap<string, Value>,
	found: ReadonlyMap<string, Value>,
	of: Exactness,
	room: ReadonlyMap<string, number> = new Map(),
): string | undefined {
	for (const [name, value] of expected) {
		const why = differs(value, found.get(name), of, room.get(name));
		if (why !== undefined) return `${name}: ${why}`;
	}
	return undefined;
}

/**
 * Eight times what one unit in the last place of the inputs does to each output, as the proof has it: a norm over a map that pools made
 * constant divides its rounding by next to nothing.
 */
async function ownRounding(
	reference: Model,
	feeds: Feeds,
	expected: ReadonlyMap<string, Value>,
): Promise<(readonly [name: string, room: number])[]> {
	const nudged = new Map(
		[...feeds].map(([name, { type, dims, data }]) => {
			const nudge = (value: number, at: number): number => value * (1 + (at % 2 === 0 ? 1 : -1) * 2 ** -23);
			return [name, { type, dims, data: Float32Array.from(data, nudge) }];
		}),
	);
	const moved = await run(reference, 'reference', nudged);
	return [...expected].map(([name, { data }]) => {
		const other = moved.get(name)?.data ?? data;
		return [
			name,
			8 * Array.from(data).reduce((most, a, at) => Math.max(most, Math.abs(a - (other[at] ?? a))), 0),
		];
	});
}

async function run(model: Model, which: string, feeds: Feeds): Promise<Map<string, Value>> {
	const session = await openSession(model, { which, threads: 1 });
	try {
		return await session.run(feeds);
	} finally {
		await session.release();
	}
}

/** How two values differ: by anything at all but the sign of a zero, or by more than rounding. */
function differs(expected: Value, found: Value | undefined, of: Exactness, room = 0): string | undefined {
	if (found?.dims.join() !== expected.dims.join())
		return `[${found?.dims.join() ?? ''}] for [${expected.dims.join()}]`;
	let [worst, largest] = [0, 0];
	for (let at = 0; at < expected.data.length; at++) {
		const [a = NaN, b = NaN] = [expected.data[at], found.data[at]];
		if (Number.isNaN(a) && Number.isNaN(b)) continue;
		worst = Math.max(worst, Number.isNaN(a) || Number.isNaN(b) ? Infinity : Math.abs(a - b));
		largest = Math.max(largest, Math.abs(a));
	}
	const most = of === 'exact' ? 0 : Math.max(rounding * largest, room);
	return worst > most ? `off by ${worst.toPrecision(3)} of ${largest.toPrecision(3)}` : undefined;
}
