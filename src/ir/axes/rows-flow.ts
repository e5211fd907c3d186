/**
 * How axes run through bodies: the nodes of an opened graph that stand for `If`, `Loop` and `Scan` (`graph/open.ts`). Every row is an
 * identity between the values outside and inside; a state that a loop carries is one value before, during and behind it.
 */
import { BOOL, INT64 } from '../graph/dtype.ts';
import { flowDomain } from '../graph/graph.ts';
import { countingOf } from './counted-loops.ts';
import { built, type Operator } from './operator.ts';
import { RowBuilder, type Row, type Side } from './row.ts';
import {
	decidedSize,
	frontAxis,
	inputSizes,
	intsAttribute,
	sampledInts,
	type NodeView,
	type Operand,
	type Sizes,
} from './view.ts';

/** An operand, and where the axes of the value lie on it: `skip` is an axis of its own that stacks one value a turn. */
type Place = { readonly side: Side; readonly slot: number; readonly skip?: number };

/** How many states a body carries; the first two inputs of a loop's are its count and condition. */
function statesOf({ node }: NodeView): number {
	const inputs = node.bodies?.[0]?.body?.graph.inputs.length ?? 0;
	return node.op.startsWith('Loop')
		? Math.max(0, inputs - 2)
		: Math.max(0, inputs - seriesOf(node.attributes));
}

function seriesOf(attributes: NodeView['node']['attributes']): number {
	const count = attributes.get('num_scan_inputs');
	return count?.kind === 'int' ? count.value : 0;
}

function resultsOf({ node }: NodeView): number {
	return node.bodies?.[0]?.body?.graph.outputs.length ?? 0;
}

/**
 * A letter for each axis of a value that has the same size in all its places; others have no term and stay. Where one branch drops an
 * axis that the input decides, as TorchScript's squeeze of a batch of one does, the axes that never change and are longer than one stand for each other in order.
 */
function link(view: NodeView, builder: RowBuilder, name: string, places: readonly Place[]): void {
	const there = places.flatMap((place) => {
		const operand = (place.side === 'in' ? view.inputs : view.outputs)[place.slot];
		return operand?.sizes === undefined ? [] : [{ ...place, axes: axesOf(operand, place.skip) }];
	});
	const isSame = there.every(({ axes }) => axes.length === there[0]?.axes.length);
	const aligned = there.map((place) => ({
		...place,
		axes: isSame ? place.axes : place.axes.filter(({ size, dynamic }) => !dynamic && size > 1),
	}));
	const [first] = aligned;
	if (first === undefined || aligned.some(({ axes }) => axes.length !== first.axes.length)) return;
	first.axes.forEach(({ size }, turn) => {
		if (aligned.some(({ axes }) => axes[turn]?.size !== size)) return;
		const letter = builder.letter(`${name}${turn}`, size);
		for (const { side, slot, axes } of aligned) {
			const at = axes[turn]?.at ?? turn;
			if (side === 'in') builder.input(slot, at, letter);
			else builder.output(slot, at, letter);
		}
	});
}

type Axis = { readonly at: number; readonly size: number; readonly dynamic: boolean };

/** The axes of a value, without the one that stacks turns. */
function axesOf({ sizes = [], dynamic }: Operand, skip: number | undefined): Axis[] {
	const all = sizes.map((size, at): Axis => ({ at, size, dynamic: dynamic[at] === true }));
	return skip === undefined ? all : all.toSpliced(skip, 1);
}

function value(sizes: Sizes, skip: number | undefined): Sizes {
	return skip === undefined ? sizes : sizes.toSpliced(skip, 1);
}

function branchOf(view: NodeView): 0 | 1 | undefined {
	const condition = sampledInts(view, 0)?.[0];
	return condition === undefined ? undefined : condition === 0 ? 1 : 0;
}

const branchSlot = (view: NodeView, branch: number, slot: number): number =>
	1 + branch * resultsOf(view) + slot;

/** What the condition picks, or what both branches agree on; where only sizes differ, they are known to move. */
function branchSizes(view: NodeView): (Sizes | undefined)[] {
	return view.node.outputs.map((_, slot) => {
		const taken = branchOf(view);
		const [left, right] = [0, 1].map((branch) => inputSizes(view, branchSlot(view, branch, slot)));
		if (taken !== undefined) return taken === 0 ? left : right;
		if (left?.length !== right?.length) return undefined;
		return left?.map((size, axis) => (size === right?.[axis] || !view.turn ? size : (right?.[axis] ?? size)));
	});
}

function branchValues(view: NodeView, slot: number): readonly number[] | undefined {
	const taken = branchOf(view);
	const [left, right] = [0, 1].map((branch) => sampledInts(view, branchSlot(view, branch, slot)));
	if (taken !== undefined) return taken === 0 ? left : right;
	return left?.length === right?.length && left?.every((one, at) => one === right?.[at]) === true
		? left
		: undefined;
}

/** Where sizes alone settle which branch is taken, the other one's values go nowhere, whatever their shape. */
function branchRow(view: NodeView): Row {
	const builder = new RowBuilder();
	const settled = view.inputs[0]?.known?.fixed[0] === true ? branchOf(view) : undefined;
	view.node.outputs.forEach((_, slot) => {
		const [left, right] = [0, 1].map((branch): Place => ({
			side: 'in',
			slot: branchSlot(view, branch, slot),
		}));
		const out: Place = { side: 'out', slot };
		if (left === undefined || right === undefined) return;
		if (settled === undefined) link(view, builder, `r${slot}_`, [left, right, out]);
		else {
			const [taken, other] = settled === 0 ? [left, right] : [right, left];
			link(view, builder, `r${slot}_`, [taken, out]);
			link(view, builder, `n${slot}_`, [other]);
		}
	});
	return builder.build();
}

/** The axis of a scan's series or stack that is walked along. */
function walked(view: NodeView, attribute: string, at: number, rank: number): number {
	return frontAxis(intsAttribute(view, attribute)?.[at] ?? 0, rank);
}

/** Inputs of an entry that are no state: a loop's count and condition, or the series of a scan. */
const firstState = ({ node }: NodeView): number => (node.op.startsWith('Loop') ? 2 : 0);

function entryRow(view: NodeView): Row {
	const builder = new RowBuilder();
	const [first, states] = [firstState(view), statesOf(view)];
	for (let slot = first; slot < first + states; slot++)
		link(view, builder, `s${slot}_`, [
			{ side: 'in', slot },
			{ side: 'out', slot },
		]);
	if (view.node.op === 'LoopIn') return builder.build();
	for (let at = 0; at < seriesOf(view.node.attributes); at++) {
		const slot = states + at;
		const skip = walked(view, 'scan_input_axes', at, inputSizes(view, slot)?.length ?? 1);
		link(view, builder, `x${slot}_`, [
			{ side: 'in', slot, skip },
			{ side: 'out', slot },
		]);
	}
	return builder.build();
}

/** Sizes inside a loop: of its count and condition, of its states as they go in, of how many turns it takes. */
function loopInSizes(view: NodeView): (Sizes | undefined)[] {
	const states = view.inputs.slice(2).map((state) => state?.sizes);
	return [[], [], ...states, []];
}

function scanInSizes(view: NodeView): (Sizes | undefined)[] {
	const states = statesOf(view);
	const inside = view.inputs.map((operand, slot) => {
		const sizes = operand?.sizes;
		if (sizes === undefined || slot < states) return sizes;
		return value(sizes, walked(view, 'scan_input_axes', slot - states, sizes.length));
	});
	return [...inside, []];
}

const last = (view: NodeView): number => view.node.outputs.length - 1;

/** A body runs only while its condition holds. How many turns there are is known when nothing but a count ends them. */
function loopInValues(view: NodeView, slot: number): readonly number[] | undefined {
	if (slot === 1) return [1];
	const starts = view.inputs[1] === undefined || sampledInts(view, 1)?.[0] === 1;
	if (slot !== last(view) || !starts) return undefined;
	const counting = countingOf(view.node);
	if (counting === undefined) return sampledInts(view, 0);
	const [from, to] = [counting.counter, counting.bound].map((state) => sampledInts(view, 2 + state)?.[0]);
	if (from === undefined || to === undefined) return undefined;
	return [Math.min(sampledInts(view, 0)?.[0] ?? Infinity, Math.max(0, to - from))];
}

function scanInValues(view: NodeView, slot: number): readonly number[] | undefined {
	const states = statesOf(view);
	const sizes = inputSizes(view, states);
	const turns = sizes?.[walked(view, 'scan_input_axes', 0, sizes.length)];
	return slot === last(view) && turns !== undefined ? [turns] : undefined;
}

/** Where a state or a stacked value comes out of a body, and the state that went in. */
function exits(view: NodeView): {
	readonly next: (at: number) => number;
	readonly state: (at: number) => number;
	readonly states: number;
} {
	const [loop, states, results] = [view.node.op === 'Loop', statesOf(view), resultsOf(view)];
	return {
		states,
		next: (at) => at + (loop ? 1 : 0),
		state: (at) => results + (loop ? 2 : 0) + at,
	};
}

/** The pairs of operands of a node of control flow that are one state: as it goes into a turn, and as it comes out. */
export function statePairs(view: NodeView): { readonly into: number; readonly out: number }[] {
	const { next, state, states } = exits(view);
	return Array.from({ length: states }, (_, at) => ({ into: state(at), out: next(at) }));
}

/** How many turns a loop takes at the sample; undefined when its condition may end it. */
export function turnsOf(view: NodeView): number | undefined {
	const goesOn = view.node.op === 'Scan' || sampledInts(view, 0)?.[0] === 1;
	return goesOn || countingOf(view.node) ? sampledInts(view, view.inputs.length - 1)?.[0] : undefined;
}

function stackAxis(view: NodeView, output: number, rank: number): number {
	return view.node.op === 'Loop' ? 0 : walked(view, 'scan_output_axes', output - statesOf(view), rank);
}

function exitSizes(view: NodeView): (Sizes | undefined)[] {
	const { next, states } = exits(view);
	return view.node.outputs.map((_, at) => {
		const sizes = inputSizes(view, next(at));
		if (sizes === undefined || at < states) return sizes;
		const turns = turnsOf(view) ?? decidedSize(view, view.node.outputs[0] ?? '');
		return sizes.toSpliced(stackAxis(view, at, sizes.length + 1), 0, turns);
	});
}

function exitRow(view: NodeView): Row {
	const builder = new RowBuilder();
	const { next, state, states } = exits(view);
	view.node.outputs.forEach((name, at) => {
		const out: Place[] = name === '' ? [] : [{ side: 'out', slot: at }];
		if (at < states) {
			const carried = [state(at), next(at)].map((slot): Place => ({ side: 'in', slot }));
			link(view, builder, `s${at}_`, [...carried, ...out]);
		} else {
			const rank = (inputSizes(view, next(at))?.length ?? 0) + 1;
			const stacked = out.map((place): Place => ({ ...place, skip: stackAxis(view, at, rank) }));
			link(view, builder, `y${at}_`, [{ side: 'in', slot: next(at) }, ...stacked]);
		}
	});
	return builder.build();
}

const typeAt = (view: NodeView, slot: number): number => view.inputs[slot]?.type ?? 0;

const flow = (op: string, rest: Omit<Operator, 'ops' | 'domain' | 'examples'>): Operator =>
	built(op, { ...rest, domain: flowDomain, examples: [] });

/** Not in the table that people read: these nodes stand in no file. */
export const flowRows: readonly Operator[] = [
	flow('If', {
		row: branchRow,
		sizes: branchSizes,
		values: branchValues,
		type: (view, slot) => typeAt(view, branchSlot(view, 0, slot)),
	}),
	flow('LoopIn', {
		row: entryRow,
		sizes: loopInSizes,
		values: loopInValues,
		type: (view, slot) =>
			slot === 1 ? BOOL : slot === 0 || slot === last(view) ? INT64 : typeAt(view, slot),
	}),
	flow('ScanIn', {
		row: entryRow,
		sizes: scanInSizes,
		values: scanInValues,
		type: (view, slot) => (slot === last(view) ? INT64 : typeAt(view, slot)),
	}),
	flow('Loop', {
		row: exitRow,
		sizes: exitSizes,
		type: (view, slot) => typeAt(view, exits(view).next(slot)),
	}),
	flow('Scan', {
		row: exitRow,
		sizes: exitSizes,
		type: (view, slot) => typeAt(view, exits(view).next(slot)),
	}),
];
