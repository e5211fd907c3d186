/** Short words for the edits that techniques write. */
import { frontAxis } from '../ir/axes/view.ts';
import { type Attribute, type Node, type ValueName } from '../ir/graph/graph.ts';
import { type Edit } from '../ir/graph/patch.ts';

/** A new node of the ONNX default domain with one output. */
export function insert(
	op: string,
	inputs: readonly ValueName[],
	output: ValueName,
	attributes: ReadonlyMap<string, Attribute> = new Map(),
): Edit {
	return { kind: 'insert', node: { name: '', op, domain: '', inputs, outputs: [output], attributes } };
}

export function attributeInt(name: string, value: number): ReadonlyMap<string, Attribute> {
	return new Map([[name, { kind: 'int', value }]]);
}

/** An integer attribute, or what holds where it is absent. */
export function intOf({ attributes }: Node, name: string, otherwise: number): number {
	const attribute = attributes.get(name);
	return attribute?.kind === 'int' ? attribute.value : otherwise;
}

/** The attribute `axis`, counted from the front of `rank` axes. */
export function axisOf(node: Node, rank: number, otherwise: number): number {
	return frontAxis(intOf(node, 'axis', otherwise), rank);
}

/** A number attribute, or what holds where it is absent. */
export function numberOf({ attributes }: Node, name: string, otherwise: number): number {
	const attribute = attributes.get(name);
	return attribute?.kind === 'int' || attribute?.kind === 'float' ? attribute.value : otherwise;
}
