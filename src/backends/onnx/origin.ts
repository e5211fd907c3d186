/** What lets an untouched object be written back byte for byte: where it was read, and the object as it was read. */
import { type Origin } from '../../ir/graph/graph.ts';
import { type Message } from './wire.ts';

export type WireOrigin = Origin & { readonly message: Message };

const asRead = new WeakMap<object, Message>();

/** Marks an object as read from a message; copies of it made by spreading carry the origin along. */
export function remember<T extends object>(object: T, message: Message): T {
	const origin: WireOrigin = { codec: 'onnx', message };
	const marked = { ...object, origin };
	asRead.set(marked, message);
	return marked;
}

/** The bytes of an object that nobody has changed. */
export function untouched(object: object): Message | undefined {
	return asRead.get(object);
}

/** The message a changed object was derived from. */
export function derivedFrom(object: { readonly origin?: Origin }): Message | undefined {
	return object.origin?.codec === 'onnx' ? (object.origin as WireOrigin).message : undefined;
}
