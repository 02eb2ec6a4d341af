/** Streams of workerd that the web platform lacks. https://developers.cloudflare.com/workers/runtime-apis/streams/transformstream/ */
declare class IdentityTransformStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor();
}

/** As IdentityTransformStream, with the length known: the body then has a Content-Length. */
declare class FixedLengthStream extends IdentityTransformStream {
  constructor(expectedLength: number);
}
