/** Where a vocabulary lies in a model: tables that ids pick rows of, and heads that have a column for every id or class. */
import { type Permit } from '../../ir/axes/barriers.ts';
import { familiesAt, type Family } from '../../ir/axes/families.ts';
import { lookupsOf } from '../../ir/axes/lookup.ts';
import { operandOf, type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { type ValueName } from '../../ir/graph/graph.ts';
import { matchesGlob } from '../../ir/glob.ts';
import { isInScope, namesIn } from '../units/structures.ts';
import { type PlanRequest } from '../technique.ts';
import { readersOf } from '../units/units.ts';

/** A part of the model that has a position for every id, and the unit of its family at each; -1 cannot go. */
export type Part = { readonly family: Family; readonly unitAt: Int32Array };

export type VocabularyParts = {
	readonly size: number;
	readonly tables: readonly Part[];
	readonly heads: readonly Part[];
};

const permit: Permit = {
	io: (tensor) => tensor.io.every((side) => side === 'output'),
	roles: new Set(['indexed', 'competing', 'statistic']),
};

/** The widest vocabulary in the statement's scope; undefined when there is none. */
export function vocabularyParts(request: PlanRequest): VocabularyParts | undefined {
	const inScope = ({ family }: Part): boolean => isMeant(request, family);
	const all = tablesOf(request.net).filter(inScope);
	const size = Math.max(0, ...all.map(({ unitAt }) => unitAt.length));
	const tables = all.filter(({ unitAt }) => unitAt.length === size);
	const outputs = headsOf(request.net, tables).filter(inScope);
	const width = size > 0 ? size : Math.max(0, ...outputs.map(({ unitAt }) => unitAt.length));
	const heads = outputs.flatMap((part) => fitted(part, width));
	return width === 0 ? undefined : { size: width, tables, heads };
}

/** A head of as many columns; where an earlier statement put columns back that hold nothing, the others are counted. */
function fitted({ family, unitAt }: Part, width: number): Part[] {
	if (unitAt.length === width) return [{ family, unitAt }];
	const live = unitAt.filter((unit) => unit >= 0);
	return live.length === width ? [{ family, unitAt: live }] : [];
}

function isMeant(request: PlanRequest, family: Family): boolean {
	const named = request.step.in.every(({ kind }) => kind === 'glob');
	return named && isInScope(request, family, new Set());
}

/** Tables whose rows are picked by ids of the model's input; one that several nodes read appears once for each. */
function tablesOf(net: Net): Part[] {
	const found: Part[] = [];
	for (const node of net.nodes) {
		for (const { letter, size, slot } of lookupsOf(node)) {
			const isKnown = found.some(({ family }) => family.letters.get(node)?.[letter] !== undefined);
			if (
				size < 2 ||
				slot === undefined ||
				isKnown ||
				!isWeight(node, letter) ||
				!readsIds(node.inputs[slot])
			)
				continue;
			const family = widest(familiesAt({ node, letter }, permit));
			const unitAt = family?.letters.get(node)?.[letter];
			if (family !== undefined && unitAt !== undefined) found.push({ family, unitAt });
		}
	}
	return found;
}

/** Whether what is picked are rows of a matrix of weights, and not entries of a table of numbers. */
function isWeight(node: NetNode, letter: number): boolean {
	return (node.row?.terms ?? []).some(({ side, slot, parts }) => {
		const operand = side === 'in' ? operandOf(node, side, slot) : undefined;
		const picked = parts.some((part) => part.letter === letter);
		return picked && operand?.fixed === true && operand.sizes.length > 1;
	});
}

/** Operators that hand ids on as they are, or through a table of new numbers. */
const passing: ReadonlySet<string> = new Set([
	...['Identity', 'Cast', 'Reshape', 'Unsqueeze', 'Squeeze', 'Flatten', 'Transpose', 'Expand', 'Slice'],
	...['Gather', 'Concat', 'Where', 'Clip', 'Max', 'Min'],
]);

/** Whether a value holds ids of a graph input: whole numbers that are no positions, types or masks. */
function readsIds(tensor: NetTensor | undefined): boolean {
	if (tensor === undefined || tensor.constant !== undefined) return false;
	if (tensor.io.includes('input')) return !/position|type|segment|mask/.test(tensor.name.toLowerCase());
	const { producer } = tensor;
	if (producer === undefined || !passing.has(producer.node.op)) return false;
	return producer.inputs.some((input) => isWhole(producer, input) && readsIds(input));
}

function isWhole({ view }: NetNode, input: NetTensor | undefined): boolean {
	const type = view.inputs.find((_, slot) => view.node.inputs[slot] === input?.name)?.type ?? 0;
	return elementType(type)?.kind === 'int';
}

/** Static axes of graph outputs that a weight writes, but for those that a table's family has already. */
function headsOf(net: Net, tables: readonly Part[]): Part[] {
	const found: Part[] = [];
	for (const { name } of net.model.graph.outputs) {
		const tensor = net.tensors.get(name);
		const producer = tensor?.producer;
		if (tensor === undefined || producer === undefined) continue;
		for (const [axis, size] of tensor.sizes.entries()) {
			const isKnown = [...tables, ...found].some(
				({ family }) => family.axes.get(tensor)?.[axis] !== undefined,
			);
			if (size < 2 || tensor.dynamic[axis] === true || isKnown) continue;
			const part = headAt(producer, tensor, axis);
			if (part !== undefined) found.push(part);
		}
	}
	return found;
}

function headAt(node: NetNode, tensor: NetTensor, axis: number): Part | undefined {
	const slot = node.outputs.indexOf(tensor);
	const term = (node.row?.terms ?? []).find(
		(one) => one.side === 'out' && one.slot === slot && one.axis === axis,
	);
	const families = (term?.parts ?? []).flatMap(({ letter }) => familiesAt({ node, letter }, permit));
	const family = widest(families.filter((one) => namesIn(one).length > 0));
	const unitAt = family?.axes.get(tensor)?.[axis];
	if (family === undefined || unitAt === undefined) return undefined;
	const padding = paddingOf(family);
	const part = { family, unitAt: unitAt.map((unit) => (padding.has(unit) ? -1 : unit)) };
	return areClasses(part) ? part : undefined;
}

/**
 * Units that no weight writes, as the column of minus infinity behind scores that an earlier statement left. A weight that the graph
 * makes is one as well.
 */
function paddingOf({ letters }: Family): Set<number> {
	return new Set(
		[...letters].flatMap(([{ row, outputs }, units]) =>
			outputs.some((made) => made?.fixed === true)
				? []
				: units.flatMap((own, letter) => (row?.letters[letter]?.role === 'produced' ? [...(own ?? [])] : [])),
		),
	);
}

/** Classes are written and not read again, as hidden features are; and each is one position, as anchors of a detector's channel are not. */
function areClasses({ family, unitAt }: Part): boolean {
	const live = unitAt.filter((unit) => unit >= 0);
	return new Set(live).size === live.length && readersOf(family).length === 0;
}

function widest(families: readonly Family[]): Family | undefined {
	return families.toSorted((a, b) => b.units - a.units)[0];
}

/** An axis of a graph output that loses positions, and its size. */
export type Lost = { readonly name: ValueName; readonly axis: number; readonly size: number };

export function outputsOf({ family }: Part): Lost[] {
	return [...family.axes].flatMap(([{ name, io }, axes]) =>
		io.includes('output')
			? axes.flatMap((units, axis) =>
					units?.some((unit) => unit >= 0) === true ? [{ name, axis, size: units.length }] : [],
				)
			: [],
	);
}

/** Names of `may change` may be globs, like all names in strings. */
export function isAllowed({ mayChange }: PlanRequest['step'], output: string): boolean {
	return mayChange.some((name) => matchesGlob(name, output));
}
