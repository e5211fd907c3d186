/** A model whose units can be left out from run to run: what the reference of a removal multiplies with zero comes in as inputs. */
import { Fault, present } from '../../diagnostic.ts';
import { isStateTensor } from '../../ir/anatomy/state.ts';
import { type Net, type NetNode } from '../../ir/axes/net.ts';
import { operatorOf } from '../../ir/axes/table.ts';
import { BOOL, elementType, FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type ValueInfo, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { type Fed, type Setting } from '../../ir/lab.ts';
import { cannotAblate } from '../../messages/plan.ts';
import { insert } from '../edits.ts';
import { masksOf, type Mask } from '../units/masks.ts';
import { type UnitGroup } from '../units/units.ts';

/** Ones along an axis of an operand, fed as an input. */
type Knob = {
	readonly name: ValueName;
	readonly type: number;
	readonly dims: readonly number[];
	readonly size: number;
};

export type Knobs = {
	readonly model: Model;
	readonly outputs: readonly ValueName[];
	readonly neutral: Setting;
	/** The setting that leaves units of a group out. */
	readonly without: (group: UnitGroup, units: ReadonlySet<number>) => Setting;
};

/** Throws `Fault` for a group whose removal is more than zeros: norms that run over what is kept. */
export function knobsFor(net: Net, groups: readonly UnitGroup[], metric: string): Knobs {
	const fresh = freshNames(net.model.graph);
	const knobs = new Map<string, Knob>();
	const inputsOf = new Map<number, ValueName[]>();
	const edits: Edit[] = [];
	for (const mask of groups.flatMap((group) => allMasks(group, metric))) {
		if (knobs.has(keyOf(mask))) continue;
		const node = present(net.byNode.get(mask.node), 'a masked node');
		const inputs = inputsOf.get(mask.node) ?? [...node.node.inputs];
		const { knob, zero } = knobAt(net, node, mask, fresh);
		const masked = fresh(`${knob.name}_masked`);
		const value = inputs[mask.slot] ?? '';
		edits.push(
			zero === ''
				? insert('Mul', [value, knob.name], masked)
				: insert('Where', [knob.name, value, zero], masked),
		);
		inputs[mask.slot] = masked;
		inputsOf.set(mask.node, inputs);
		knobs.set(keyOf(mask), knob);
	}
	for (const [id, inputs] of inputsOf)
		edits.push({ kind: 'node', node: { ...present(net.byNode.get(id), 'a masked node').node, inputs } });
	return {
		model: withInputs(applyPatch(net.model, { label: 'knobs', edits }), [...knobs.values()]),
		outputs: countedOutputs(net),
		neutral: new Map([...knobs.values()].map((knob) => [knob.name, setTo(knob, [])])),
		without: ({ family }, units) =>
			new Map(
				masksOf({ family, units: new Set(units) }).map((mask) => {
					const knob = present(knobs.get(keyOf(mask)), 'a knob');
					return [knob.name, setTo(knob, mask.dead)];
				}),
			),
	};
}

/** The zero of quantized operands is a number of its own, empty for others. */
function knobAt(
	net: Net,
	{ node, inputs }: NetNode,
	{ slot, axis }: Mask,
	fresh: (base: string) => ValueName,
): { readonly knob: Knob; readonly zero: ValueName } {
	const { name, sizes, constant } = present(inputs[slot], 'a masked operand');
	const zero = node.inputs[operatorOf(node)?.zeroPoints?.[slot] ?? -1] ?? '';
	const type = zero === '' ? (constant?.type ?? net.facts.of(name)?.type ?? FLOAT) : BOOL;
	const dims = sizes.map((size, at) => (at === axis ? size : 1));
	return { knob: { name: fresh(`${name}_knob`), type, dims, size: sizes[axis] ?? 0 }, zero };
}

const keyOf = ({ node, slot, axis }: Mask): string => `${node}.${slot}.${axis}`;

function allMasks({ family, label }: UnitGroup, metric: string): Mask[] {
	const masks = masksOf({ family, units: new Set(Array(family.units).keys()) });
	if (masks.some(({ how }) => how !== 'zero')) throw new Fault(cannotAblate({ metric, what: label }));
	return masks;
}

/** The model with more inputs. */
export function withInputs(model: Model, knobs: readonly Pick<Knob, 'name' | 'type' | 'dims'>[]): Model {
	const infos = knobs.map(({ name, type, dims }): ValueInfo => ({ name, type, dims }));
	return { ...model, graph: { ...model.graph, inputs: [...model.graph.inputs, ...infos] } };
}

function setTo({ type, dims, size }: Knob, dead: readonly number[]): Fed {
	const data = new Float64Array(size).fill(1);
	for (const position of dead) data[position] = 0;
	return { type, dims, data };
}

/** Outputs that count: numbers that are no state. */
export function countedOutputs(net: Net): ValueName[] {
	return net.model.graph.outputs.flatMap(({ name, type }) => {
		const tensor = net.tensors.get(name);
		const isState = tensor !== undefined && isStateTensor(net, tensor);
		const isNumber = elementType(type)?.kind === 'float';
		return isState || !isNumber ? [] : [name];
	});
}
